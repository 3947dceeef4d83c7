// One JSON line for every finished test (not for suites and files): { name, outcome }.
export default async function* report(source) {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    if (event.data.details?.type === 'suite') continue;
    const skipped = event.data.skip !== undefined || event.data.todo !== undefined;
    const outcome = event.type === 'test:fail' ? 'failed' : skipped ? 'skipped' : 'passed';
    yield `${JSON.stringify({ name: event.data.name, outcome })}\n`;
  }
}
