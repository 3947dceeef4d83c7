/**
 * The Content-Encoding to store: `aws-chunked` describes the transfer and is no property of the object.
 * `undefined` when nothing else remains.
 */
export function storedContentEncoding(value: string): string | undefined {
  const rest = value
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return rest.length === 0 ? undefined : rest.join(',');
}
