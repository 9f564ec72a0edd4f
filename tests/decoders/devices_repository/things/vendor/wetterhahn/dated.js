function decodeUplink(input) {
  var age = input.bytes[0];
  return { data: { measured: new Date(input.recvTime.getTime() - age * 60000).toISOString().slice(0, 16) } };
}
