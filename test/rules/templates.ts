/**
 * Templates and what Prometheus makes of them for the alert of `foo{instance="i1",job="j"}` = 3.25 beside
 * `foo{instance="i0",job="j"}` = 7. `undefined` stands for any `<error expanding template: ...>`.
 */
export const TEMPLATES: Readonly<Record<string, string | undefined>> = {
  // Text, trimming, comments
  'no action': 'no action',
  'a {{- "b" -}} c': 'abc',
  'a {{- /* x */ -}} c': 'ac',
  '{{/* c */}}x': 'x',
  '{{- if true -}} x {{- end -}} y': 'xy',
  // Data
  '{{ $value }} {{ .Value }} {{ $labels.instance }} {{ .Labels.instance }}|{{ $labels.nope }}|':
    '3.25 3.25 i1 i1||',
  '{{ $labels }}': 'map[__name__:foo instance:i1 job:j]',
  '{{ $externalLabels.dc }}': 'x',
  '{{ index $labels "instance" }} {{ len $labels }} {{ len "héy" }}': 'i1 3 4',
  '{{ .Nope }}': undefined,
  '{{ nil }}': undefined,
  // Constants
  '{{ 5 }} {{ -3 }} {{ 0x1F }} {{ 1e3 }} {{ .5 }} {{ true }} {{ \'a\' }} {{ "tab\\tq" }} {{ `b\\n` }}':
    '5 -3 31 1000 0.5 true 97 tab\tq b\\n',
  '{{ 1234567.0 }} {{ 123456789.5 }} {{ 1e20 }} {{ 0.00001 }} {{ 0.0001 }} {{ -0.5 }} {{ 100000.0 }}':
    '1.234567e+06 1.234567895e+08 1e+20 1e-05 0.0001 -0.5 100000',
  '{{ $value | }} {{ (5 | ) }}': '3.25 5',
  // Control
  '{{ if gt $value 5.0 }}big{{ else if gt $value 1.0 }}mid{{ else }}small{{ end }}': 'mid',
  '{{ if $labels.nope }}a{{ else }}b{{ end }}': 'b',
  '{{ if and (gt $value 1.0) (eq $labels.job "j") }}y{{ end }}': 'y',
  '{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}': '__name__=foo;instance=i1;job=j;',
  '{{ range $labels }}[{{ . }}]{{ else }}none{{ end }}': '[foo][i1][j]',
  '{{ range query "nope" }}x{{ else }}none{{ end }}': 'none',
  '{{ with $labels.job }}job {{ . }}{{ end }}{{ with $labels.nope }}x{{ else }} none{{ end }}': 'job j none',
  '{{ with $x := 5 }}{{ $x }}{{ end }}{{ $x := 5 }}{{ $x }}{{ $x = 6 }}{{ $x }}': '556',
  '{{ range query "foo" }}{{ continue }}x{{ end }}|{{ range query "foo" }}a{{ break }}{{ end }}': '|a',
  '{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" $value }}{{ block "b" 5 }}v{{ . }}{{ end }}': '<3.25>v5',
  '{{ template "nope" }}': undefined,
  '{{ define "x" }}{{ template "x" }}{{ end }}ok': 'ok',
  // Logic and comparison
  '{{ and 1 0 }} {{ or 0 "x" }} {{ not true }} {{ eq "a" "b" "a" }} {{ ne 1 2 }} {{ lt "a" "b" }} {{ ge 2 2 }}':
    '0 x false true true true true',
  '{{ gt $value 5 }}': undefined,
  '{{ eq 1 1.0 }}': undefined,
  // printf and print
  '{{ printf "%v|%s|%d|%.2f|%g|%q" $value "s" 12 $value $value "a\\"b" }}': '3.25|s|12|3.25|3.25|"a\\"b"',
  '{{ printf "%.0f %.0f %.0f %.2f" 0.5 1.5 2.5 0.125 }}': '0 2 2 0.12',
  '{{ printf "%.4g %.4g %.4g %.4g" 12345.678 0.00001234 1234.5 1e10 }}': '1.235e+04 1.234e-05 1234 1e+10',
  '{{ printf "%5d|%-5d|%05d|%+d|% d|%*d" 42 42 42 42 42 5 42 }}': '   42|42   |00042|+42| 42|   42',
  '{{ printf "%8.3f|%-8.3f|%08.3f|%+.1f" 3.14159 3.14159 3.14159 3.14159}}':
    '   3.142|3.142   |0003.142|+3.1',
  '{{ printf "%e %E %G" 123456.789 1.5 1e-10 }} {{ printf "%08b %o %#x %X" 5 8 255 255 }}':
    '1.234568e+05 1.500000E+00 1E-10 00000101 10 0xff FF',
  '{{ printf "%t %c %T %T %T" true 65 1 1.5 "s" }} {{ printf "%5s|%-5s|%.2s|%x" "ab" "ab" "abc" "hi"}}':
    'true A int float64 string    ab|ab   |ab|6869',
  '{{ printf "%d" $value }} {{ printf "%s" $value }} {{ printf "%d %s" 1 }} {{ printf "%d" 1 2 }} {{ printf "%z" 3 }}':
    '%!d(float64=3.25) %!s(float64=3.25) 1 %!s(MISSING) 1%!(EXTRA int=2) %!z(int=3)',
  '{{ printf "%.1f%%" $value }} {{ $value | printf "%.2f" | printf "%10s|" }}': '3.2%       3.25|',
  '{{ print 1 2 "a" "b" 3 4 }} {{ println "x" 1 }}': '1 2ab3 4 x 1\n',
  // Prometheus's own
  '{{ $value | humanize }} {{ 0.00123 | humanize }} {{ humanize 0 }} {{ humanize 1e30 }} {{ humanize "12345" }}':
    '3.25 1.23m 0 1e+06Y 12.35k',
  '{{ humanize 999.95 }} {{ humanize 1000 }} {{ humanize 999999 }} {{ humanize -1500.0 }}':
    '1000 1k 1000k -1.5k',
  '{{ humanize1024 1048576 }} {{ humanize1024 0.5 }} {{ humanize1024 1500 }} {{ humanize1024 -2048.0 }}':
    '1Mi 0.5 1.465ki -2ki',
  '{{ humanizeDuration 0 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 61 }}':
    '0s 12.3ms 59.5s 1m 1s',
  '{{ humanizeDuration 3661 }} {{ humanizeDuration 100000 }} {{ humanizeDuration -90 }}':
    '1h 1m 1s 1d 3h 46m 40s -1m 30s',
  '{{ humanizePercentage 0.12345 }} {{ humanizePercentage 1 }}': '12.35% 100%',
  '{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0 }} {{ toTime 1435065584 }}':
    '2015-06-23 13:19:44.128 +0000 UTC 1970-01-01 00:00:00 +0000 UTC 2015-06-23 13:19:44 +0000 UTC',
  '{{ humanize "abc" }}': undefined,
  '{{ toUpper "abc" | printf "%s!" }} {{ title "hello wORLD foo_bar" }} {{ toLower "ABC" }} {{ safeHtml "<b>" }}':
    'ABC! Hello WORLD Foo_bar abc <b>',
  '{{ toUpper 5 }}': undefined,
  '{{ reReplaceAll "(a+)b" "<$1>" "xaab aab" }} {{ reReplaceAll "(?P<x>a)(y)?" "${x}$2$$" "a-a" }}':
    'x<aa> <aa> a$-a$',
  '{{ match "^h.*t$" "host" }} {{ match "ou" "foul" }} {{ match "(?i:FOUL)$" "foul" }} {{ match "a.b" "a\\nb" }}':
    'true true true false',
  '{{ match "(" "x" }}': undefined,
  '{{ range $i, $s := query "foo" | sortByLabel "instance" }}{{ if $i }}, {{ end }}{{ $s.Labels.instance }}{{ end }}':
    'i0, i1',
  '{{ with query "foo" | sortByLabel "instance" }}{{ . | first | value }} {{ . | first | label "job" }}{{ end }}':
    '7 j',
  '{{ (query "foo" | sortByLabel "instance" | first).Value }} {{ (index (query "foo") 0).Labels.job }}':
    '7 j',
  '{{ query "nope" | first | value }}': undefined,
  '{{ query "§" }}': undefined,
  '{{ stripPort "a.b:80" }} {{ stripPort "[::1]:80" }} {{ stripDomain "a.b.c:80" }} {{ stripDomain "10.0.0.1:80" }}':
    'a.b ::1 a:80 10.0.0.1:80',
  '{{ tableLink "up" }} {{ graphLink "a b" }}': '/graph?g0.expr=up&g0.tab=1 /graph?g0.expr=a+b&g0.tab=0',
  '{{ parseDuration "1h30m" }} {{ args 1 "b" }} {{ (args 1 "b").arg1 }}': '5400 map[arg0:1 arg1:b] b',
  '{{ parseDuration "x" }}': undefined,
  '{{ urlquery "a b&c" }} {{ html "<a>" }} {{ js "it\'s" }} {{ slice "hello" 1 3 }}':
    "a+b%26c &lt;a&gt; it\\'s el",
};

/** Templates that no file may hold, and the offset at which each is wrong. */
export const MALFORMED: Readonly<Record<string, number>> = {
  'a {{ $value': 2,
  '{{ if true }}x': 14,
  '{{ end }}': 3,
  '{{ else }}': 3,
  '{{ nope 1 }}': 3,
  '{{ $nope }}': 3,
  '{{ }}': 3,
  '{{ "a }}': 3,
  '{{ # }}': 3,
  '{{ 5 | 6 }}': 7,
  '{{ (1 }}': 6,
  '{{ printf "%d" 1) }}': 16,
  '{{ break }}': 3,
  '{{ template 5 }}': 12,
  '{{ if }}x{{ end }}': 6,
  '{{ "a"."b" }}': 6,
};
