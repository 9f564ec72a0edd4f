"""What is measured against each other: our bridge, bare paho, Node-RED, Telegraf; each a process of its own."""
