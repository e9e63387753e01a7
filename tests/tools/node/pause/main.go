// Does nothing until it is told to end, and so keeps the namespaces of a pod while its containers come and go. The usual image for that
// lies in a registry, which our checks don't reach.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
	<-told
}
