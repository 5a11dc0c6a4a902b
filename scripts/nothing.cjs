/** Stands in a bundle for what is never used (bundle.mjs). */
module.exports = {}
