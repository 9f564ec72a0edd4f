const COMMANDS = { on: 0x01, off: 0x00, reboot: 0xff };
function encodeDownlink(input) {
  const code = COMMANDS[input.data.command];
  if (code === undefined) {
    return { errors: [`no command ${input.data.command}`] };
  }
  return { fPort: 2, bytes: [code] };
}
