/**
 * XML in and out: a strict reader that turns a request document into a plain tree of strings, checks of which elements an
 * operation allows, and a fast writer. It knows no operation and no schema of one.
 */
export * from './elements.ts';
export { malformedXml, readXml, type XmlElement, type XmlLimits } from './read.ts';
export { escapeText, urlEncodeKey, XmlWriter } from './write.ts';
