# want empty.hcl:1,1: Missing job: A job file has at least one job "name" { … } block.

