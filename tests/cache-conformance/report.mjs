// Counts what passed of the suite, by kind, and lists what did not.
import fs from 'node:fs'

const [, , suite, file, least] = process.argv
const { default: groups } = await import(`${suite}/tests/index.mjs`)
const results = JSON.parse(fs.readFileSync(file))
const kinds = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
for (const group of groups) {
  for (const test of group.tests) {
    if (!(test.id in results)) continue
    const count = kinds[test.kind ?? 'required']
    count[1]++
    if (results[test.id] === true) count[0]++
    else if (test.kind !== 'check') console.log(`${test.kind ?? 'required'} ${test.id}: ${results[test.id].join(': ')}`)
  }
}
for (const [kind, [passed, all]] of Object.entries(kinds)) console.log(`${kind}: ${passed} of ${all}`)
process.exit(kinds.required[0] >= Number(least) ? 0 : 1)
