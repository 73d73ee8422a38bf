import type { RuleTestOutcome } from '../rules/testing/outcome.ts';

/** Results as JUnit XML, shaped as promtool's. */
export function junit(outcomes: readonly RuleTestOutcome[]): string {
  return `<testsuites>${outcomes.map(suite).join('')}</testsuites>\n`;
}

function suite({ file, tests, failures }: RuleTestOutcome): string {
  const broken = tests.length === 0 ? failures : [];
  const cases = tests.map((test) => {
    const failed = test.failures.map(({ message }) => `<failure>${xmlText(message)}</failure>`);
    return `<testcase name="${xmlText(test.name)}">${failed.join('')}</testcase>`;
  });
  if (broken.length > 0) {
    const messages = broken.map(({ message }) => message).join('\n');
    cases.push(`<testcase name="unknown"><error>${xmlText(messages)}</error></testcase>`);
  }
  const counts = {
    tests: cases.length,
    failures: tests.reduce((sum, test) => sum + test.failures.length, 0),
    errors: broken.length > 0 ? 1 : 0,
    skipped: 0,
  };
  const attributes = Object.entries(counts).map(([name, count]) => ` ${name}="${count}"`);
  return `<testsuite name="${xmlText(file)}"${attributes.join('')}>${cases.join('')}</testsuite>`;
}

/** Control characters are none of XML's. */
function xmlText(text: string): string {
  return text.replace(/[<>&"\n\p{Cc}]/gu, (character) =>
    /[<>&"\n]/.test(character) ? `&#${character.charCodeAt(0)};` : '\uFFFD',
  );
}
