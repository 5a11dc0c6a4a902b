/** Stands in a bundle for a package that is never used (bundle.mjs). */
module.exports = {}
