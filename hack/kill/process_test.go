//go:build kill && unix

package kill_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// process is one life of a manager. Its name is also its access key ID and its path to the API server: whoever is spoken
// to knows which life it is.
type process struct {
	name    string
	log     string // the file
	command *exec.Cmd
	gone    chan struct{} // closed once it has ended
}

func processName(n int) string { return fmt.Sprintf("manager-%03d", n) }

// start begins another life.
func (w *world) start(flags ...string) (*process, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	p := &process{name: processName(len(w.processes)), gone: make(chan struct{})}
	p.log = filepath.Join(w.folder, p.name+".log")
	kubeconfig := filepath.Join(w.folder, p.name+".kubeconfig")
	if err := writeKubeconfig(kubeconfig, w.apiURL+"/"+p.name); err != nil {
		return nil, err
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.command = exec.Command(stage.program, append(w.flags(), flags...)...)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.Env = []string{
		"KUBECONFIG=" + kubeconfig, "AWS_ACCESS_KEY_ID=" + p.name, "AWS_SECRET_ACCESS_KEY=" + p.name,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"GORACE=halt_on_error=1",
	}
	if err := errors.Join(p.command.Start(), log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	w.processes[p.name] = p
	go func() {
		_ = p.command.Wait() // ProcessState says it
		close(p.gone)
	}()
	return p, nil
}

func (w *world) flags() []string {
	flags := []string{
		"--kms-dialect=" + string(w.dialect), "--kms-endpoint=" + w.kmsURL, "--kms-region=" + region, "--operator-namespace=" + w.system,
		"--get-parameters-rate=100", "--resync-interval=3s", "--log-level=debug",
		"--metrics-bind-address=0", "--health-probe-bind-address=0",
	}
	for _, namespace := range w.namespaces {
		flags = append(flags, "--namespaces="+namespace)
	}
	return flags
}

func writeKubeconfig(path, server string) error {
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["there"] = &clientcmdapi.Cluster{Server: server}
	kubeconfig.Contexts["here"] = &clientcmdapi.Context{Cluster: "there"}
	kubeconfig.CurrentContext = "here"
	return clientcmd.WriteToFile(*kubeconfig, path)
}

// process finds a life by its name.
func (w *world) process(name string) *process {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.processes[name]
}

// kill is SIGKILL, and returns when the process is gone.
func (p *process) kill() {
	_ = p.command.Process.Kill() // which fails when it has ended; wasKilled tells
	<-p.gone
}

// wasKilled reports whether SIGKILL ended it, rather than itself.
func (p *process) wasKilled() bool {
	<-p.gone
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (p *process) hasEnded() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// pause is SIGSTOP: nothing of the process runs until resume.
func (p *process) pause() error  { return p.command.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.command.Process.Signal(syscall.SIGCONT) }
