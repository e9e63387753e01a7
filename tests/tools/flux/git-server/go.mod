module pinpoint-import.dev/git-server

go 1.26
