/**
 * What is wrong with a compose file or what was asked of it: shown as one line, in compose's words where it has some.
 */
export class ComposeError extends Error {}

/** No file was named and none was found; some verbs can do without. */
export class NoComposeFileError extends ComposeError {}
