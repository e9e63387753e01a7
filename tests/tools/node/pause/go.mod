module pinpoint-import.dev/pause

go 1.26
