//go:build unix

package realservers

import (
	"os/exec"
	"syscall"
	"time"
)

// ownGroup gives a server a process group of its own, so that it ends with its
// children.
func ownGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends a server that ownGroup prepared, and waits for it. Of one that
// ended already it ends the children that are left.
func endGroup(command *exec.Cmd, ended <-chan struct{}) {
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	<-ended
}
