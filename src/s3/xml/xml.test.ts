import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { S3Error } from '../errors.ts';
import { booleanOf, childrenOf, integerOf, optionalText, textOf } from './elements.ts';
import { readXml, S3_NAMESPACE } from './read.ts';
import { escapeText, urlEncodeKey, XmlWriter } from './write.ts';

function read(text: string, root = 'Delete') {
  return readXml(Buffer.from(text), root);
}

function malformed(action: () => unknown, note?: string): void {
  assert.throws(action, (error: unknown) => error instanceof S3Error && error.code === 'MalformedXML', note);
}

test('xml: elements of the S3 namespace, of a prefix for it, or of none', () => {
  for (const text of [
    '<Delete><Quiet>true</Quiet></Delete>',
    `<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="${S3_NAMESPACE}"><!-- why --><Quiet>true</Quiet>\n</Delete>\n`,
    `<s:Delete xmlns:s="${S3_NAMESPACE}"><s:Quiet>true</s:Quiet></s:Delete>`,
    '\ufeff<Delete><Quiet>true</Quiet></Delete>',
  ])
    assert.equal(booleanOf(childrenOf(read(text), { Quiet: 'optional' }).Quiet), true, text);
});

test('P-06 DOCTYPE, entities and processing instructions are MalformedXML', () => {
  const bomb = `<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, i) => `<!ENTITY b${i} "${'&a;'.repeat(10)}">`).join('')}`;
  for (const text of [
    '<!DOCTYPE Delete><Delete/>',
    `<!DOCTYPE Delete [${bomb}]><Delete>&b8;</Delete>`,
    '<!DOCTYPE Delete SYSTEM "file:///etc/passwd"><Delete/>',
    '<!DOCTYPE Delete [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]><Delete/>',
    '<?xml version="1.0"?><!DOCTYPE Delete PUBLIC "a" "b"><Delete/>',
    '<Delete>&unknown;</Delete>',
    '<?xml-stylesheet href="x"?><Delete/>',
    '<Delete><?php 1 ?></Delete>',
    '<Delete/><?end?>',
  ])
    malformed(() => read(text), text);
});

test('P-07 not well-formed, wrong root, wrong encoding, mixed content, foreign names', () => {
  for (const text of [
    '',
    ' ',
    'true',
    '{}',
    '<Delete>',
    '<Delete></delete>',
    '<Delete/><Delete/>',
    '<Delete/>text',
    '<Other/>',
    '<Delete>text<Quiet/></Delete>',
    '<Delete b="1"/>',
    '<Delete xmlns="urn:other"/>',
    '<x:Delete/>',
    '<Delete>&#x0;</Delete>',
    '<Delete>&#x1;</Delete>',
    '<Delete>\u0001</Delete>',
    '<?xml version="1.1"?><Delete/>',
    '<?xml version="1.0" encoding="UTF-16"?><Delete/>',
  ])
    malformed(() => read(text), text);
  malformed(() => readXml(Buffer.from([0x3c, 0x41, 0xff, 0x2f, 0x3e]), 'A'), 'not UTF-8');
  malformed(() => readXml(Buffer.from('<A/>', 'utf16le'), 'A'), 'UTF-16');
});

test('P-07 32 levels are read, 33 are not; the size cap holds', () => {
  const nested = (depth: number) => `${'<A>'.repeat(depth)}${'</A>'.repeat(depth)}`;
  assert.equal(read(nested(32), 'A').name, 'A');
  malformed(() => read(nested(33), 'A'));
  malformed(() => read('<A>'.repeat(600_000), 'A'));
  const exact = Buffer.from(`<A>${'x'.repeat(93)}</A>`);
  assert.equal(readXml(exact, 'A', { bytesMax: 100 }).text.length, 93);
  malformed(() => readXml(exact, 'A', { bytesMax: 99 }));
});

test('P-07 unknown, repeated, missing and misplaced elements', () => {
  const rules = { Object: 'many', Quiet: 'optional', Needed: 'one' } as const;
  const good = childrenOf(read('<Delete><Object>a</Object><Needed/><Object>b</Object></Delete>'), rules);
  assert.deepEqual(good.Object.map(textOf), ['a', 'b']);
  assert.equal(good.Quiet, undefined);
  assert.equal(optionalText(good.Quiet), undefined);
  for (const inside of [
    '<Needed/><Other/>',
    '<Needed/><quiet/>',
    '<Needed/><Quiet/><Quiet/>',
    '<Needed/><Needed/>',
    '',
    '<Needed/><__proto__/>',
    '<Needed/><constructor/>',
    'text',
  ])
    malformed(() => childrenOf(read(`<Delete>${inside}</Delete>`), rules), inside);
  malformed(() => textOf(read('<Delete><Quiet/></Delete>')));
});

test('P-08 texts stay what they are', () => {
  const keys = [
    '007',
    '1e5',
    'true',
    ' a ',
    'a&b',
    '<![CDATA[',
    '__proto__',
    'toString',
    'a\nb',
    'a\rb',
    '\t',
    'ä😀',
    '-0',
    '',
  ];
  const body = keys.map((key) => `<Key>${escapeText(key)}</Key>`).join('');
  assert.deepEqual(childrenOf(read(`<Delete>${body}</Delete>`), { Key: 'many' }).Key.map(textOf), keys);
  const parts = read('<Delete>a<![CDATA[<b>&amp;]]>c&amp;<!-- no -->d&#x41;</Delete>');
  assert.equal(textOf(parts), 'a<b>&amp;c&dA');
  const named = read('<Delete><__proto__>x</__proto__></Delete>');
  assert.equal(named.children[0]?.name, '__proto__');
  assert.equal(({} as Record<string, unknown>).text, undefined);
});

test('xml: numbers and truth values are read strictly', () => {
  const leaf = (text: string) => read(`<N>${text}</N>`, 'N');
  assert.equal(integerOf(leaf(' 10000 '), 1, 10_000), 10_000);
  for (const text of ['', '0', '10001', '-1', '+1', '1.0', '1e3', '0x10', '١', '99999999999999999999'])
    malformed(() => integerOf(leaf(text), 1, 10_000), text);
  assert.equal(booleanOf(undefined), false);
  assert.equal(booleanOf(leaf('False')), false);
  for (const text of ['', '1', 'yes', 'truex']) malformed(() => booleanOf(leaf(text)), text);
});

test('xml: every text that XML can hold comes back as it was written', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(text, (value) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 cannot hold
      fc.pre(!/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(value) && value.isWellFormed());
      const document = new XmlWriter('Delete').leaf('Key', value).close('Delete').toString();
      assert.equal(read(document).children[0]?.text, value);
    }),
  );
});

test('P-06 P-07 fuzzing the reader: a tree or MalformedXML, nothing else', () => {
  const token = fc.oneof(
    fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      'Delete',
      'Object',
      ' ',
      '=',
      '"',
      '&',
      ';',
      '&lt;',
      '&#x',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?',
      '?>',
      '<!DOCTYPE',
      'xmlns',
      ':',
      '\u0000',
      '\ud83d',
    ),
    fc.string({ maxLength: 4 }),
  );
  const document = fc.array(token, { maxLength: 30 }).map((tokens) => `<Delete>${tokens.join('')}</Delete>`);
  const check = (bytes: Uint8Array) => {
    try {
      assert.equal(readXml(bytes, 'Delete').name, 'Delete');
    } catch (error) {
      assert.ok(error instanceof S3Error && error.code === 'MalformedXML', String(error));
    }
  };
  fc.assert(
    fc.property(document, (text) => check(Buffer.from(text))),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 500 });
});

test('xml: what XML cannot hold becomes numeric references, as AWS writes it', () => {
  assert.equal(escapeText('a\u0001\u001f\u007f\r\ufffe'), 'a&#x1;&#x1F;&#x7F;&#xD;&#xFFFE;');
  assert.equal(escapeText('<a b="c">&'), '&lt;a b=&quot;c&quot;&gt;&amp;');
  assert.equal(escapeText('\ud83d x \ude00 😀'), '\ufffd x \ufffd 😀');
  const plain = 'photos/2026/08/ä.jpg';
  assert.equal(escapeText(plain), plain);
});

test('xml: url encoding of keys keeps slashes and comes back under both readings of plus', () => {
  assert.equal(urlEncodeKey("a b+c/d!'()*\u0001ä~"), 'a%20b%2Bc/d%21%27%28%29%2A%01%C3%A4~');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (key) => {
      const encoded = urlEncodeKey(key);
      assert.match(encoded, /^[A-Za-z0-9\-._~/%]*$/);
      assert.equal(decodeURIComponent(encoded), key.toWellFormed());
      assert.equal(decodeURIComponent(encoded.replaceAll('+', ' ')), key.toWellFormed());
    }),
  );
});

test('xml: the writer leaves out what is undefined and can do without a namespace', () => {
  const text = new XmlWriter('Error', { namespace: false })
    .leaf('Code', 'NoSuchKey')
    .leaf('Key', undefined)
    .leaf('Size', 5)
    .open('Owner')
    .raw('<ID>x</ID>')
    .close('Owner')
    .leaf('IsTruncated', false)
    .close('Error')
    .toString();
  assert.equal(
    text,
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Size>5</Size><Owner><ID>x</ID></Owner><IsTruncated>false</IsTruncated></Error>',
  );
});
