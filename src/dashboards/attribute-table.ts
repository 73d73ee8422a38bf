/** Attributes in code and what they mean, as a table of a document. Throws when the code sets one that has no text. */
export function attributeTable(set: readonly string[], texts: Readonly<Record<string, string>>): string {
  for (const name of set) if (texts[name] === undefined) throw new Error(`attribute ${name} has no text`);
  const rows = Object.entries(texts).map(([name, text]) => `| \`${name}\` | ${text} |`);
  return ['| Attribute | Meaning |', '| --- | --- |', ...rows].join('\n');
}
