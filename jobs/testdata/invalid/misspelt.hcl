# want misspelt.hcl:4,1: Missing source: A job needs a source block, such as source "pop3" { server =
# want misspelt.hcl:4,1: Missing sink: A job needs a sink block, such as sink "mbox" "archive" { dir = "archive" }.
# want misspelt.hcl:6,5: Unsupported argument: An argument named "pasword" is not expected here. Did you mean
job "a" {
  account "x" {
    pasword = "s3cret"
  }
}
