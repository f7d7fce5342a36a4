# want envelopes.hcl:17,17: Contradiction: With envelope = true each message goes to its own recipient, from its own sender. Leave recipient and mail_from out.
# want envelopes.hcl:5,3: No envelopes: Sink "two" sends each message to its own recipient, and the source of this account tells none. Say envelope = "sdps" there if the server has *ENV, or recipient in the sink.
# want envelopes.hcl:11,16: Unknown word
job "a" {
  account "x" { password = "x" }
  source "pop3" { server = "pop.example.net" }
  source "pop3" {
    name     = "b"
    server   = "pop.example.net"
    # a word that means nothing
    envelope = "header"
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "lmtp" "one" {
    server    = "127.0.0.1:24"
    recipient = "x@example.org"
    envelope  = true
  }
  sink "lmtp" "two" {
    server   = "127.0.0.1:24"
    envelope = true
  }
}
