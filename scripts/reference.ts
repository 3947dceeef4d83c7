// Reference pages made from the compile-checked tables, so that they cannot say anything else than the code does.

/** Path below the root → content. */
export async function referencePages(): Promise<Map<string, string>> {
  return new Map<string, string>();
}
