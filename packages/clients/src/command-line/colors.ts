/**
 * Terminal colours, only where somebody looks: a terminal that did not ask for none (https://no-color.org).
 */

function paint(code: number) {
  return (text: string) => (isColoured() ? `\u001b[${code}m${text}\u001b[0m` : text)
}

function isColoured(): boolean {
  return process.stdout.isTTY && !process.env['NO_COLOR']
}

export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)
export const cyan = paint(36)
