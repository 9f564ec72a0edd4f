function decodeUplink(input) {
  return { data: { text: Buffer.from(input.bytes).toString('base64'), again: Array.from(Buffer.from('AQID', 'base64')) } };
}
