function decodeUplink(input) { var a = []; for (;;) a.push(new Array(10000).fill(1.5)); }
