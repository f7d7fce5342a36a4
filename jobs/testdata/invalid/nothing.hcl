# want nothing.hcl:4,1: Missing source: A job needs a source block, such as source "pop3" { server =
# want nothing.hcl:4,1: Missing sink: A job needs a sink block, such as sink "mbox" "archive" { dir = "archive" }.
# want nothing.hcl:4,1: Missing accounts: A job needs accounts { csv = "…" } or at least one account block.
job "a" {}
