//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process holds a lock on its PID file from before its first instruction until it ends: whoever finds the file
// unlocked knows that the process is gone, whoever finds it locked knows that the number in it is no stranger's.

// session turns this process into args[1:], in a session of its own and with no open file but the standard ones and
// the locked PID file: Ctrl-C and the end of the terminal do not reach it, and nobody waits for a pipe it holds.
func session(_ context.Context, args []string, _ io.Reader, _ io.Writer) error {
	path, err := exec.LookPath(args[1])
	if err != nil {
		return err
	}
	if err := closeInherited(); err != nil {
		return err
	}
	if _, err := syscall.Setsid(); err != nil {
		return fmt.Errorf("start a session: %w", err)
	}
	if err := holdPIDFile(args[0]); err != nil {
		return err
	}
	return syscall.Exec(path, args[1:], os.Environ()) //nolint:gosec // running what it is told to run is its purpose
}

// closeInherited has everything but the standard files closed by Exec. Whatever the Go runtime opened is marked so
// already, what the caller had open, such as make's job server or a pipe, is not.
func closeInherited() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > syscall.Stderr {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// holdPIDFile opens, locks and writes it. Opened by way of syscall, it stays open across Exec.
func holdPIDFile(path string) error {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT, 0o600)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if err := syscall.Ftruncate(fd, 0); err != nil {
		return err
	}
	_, err = syscall.Write(fd, []byte(strconv.Itoa(os.Getpid())))
	return err
}

// lock locks a file that the caller has open: the lock lasts until the caller closes it or ends.
func lock(context.Context, []string, io.Reader, io.Writer) error {
	return syscall.Flock(syscall.Stdin, syscall.LOCK_EX|syscall.LOCK_NB)
}

// holder is the ID of the process that holds the lock on a PID file, or 0 when none does.
func holder(path string) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // read only
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("look for a lock on %s: %w", path, err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func running(_ context.Context, args []string, _ io.Reader, out io.Writer) error {
	for _, path := range args {
		pid, err := holder(path)
		if err != nil {
			return err
		}
		if pid != 0 {
			_, _ = fmt.Fprintln(out, pid) // demo.sh reads it
		}
	}
	return nil
}

func ended(_ context.Context, args []string, _ io.Reader, out io.Writer) error {
	for _, path := range args {
		pid, err := holder(path)
		if err != nil {
			return err
		}
		if pid == 0 {
			_, _ = fmt.Fprintln(out, strings.TrimSuffix(filepath.Base(path), ".pid")) // demo.sh reads it
		}
	}
	return nil
}

func stop(_ context.Context, args []string, _ io.Reader, _ io.Writer) error {
	failures := make([]error, 0, len(args))
	for _, path := range args {
		failures = append(failures, end(path))
	}
	return errors.Join(failures...)
}

// end asks a process to end, and after a while does not ask.
func end(path string) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pid, err := holder(path)
		if err != nil || pid == 0 {
			return err
		}
		// It may have ended since its lock was looked at.
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end process %d: %w", pid, err)
		}
		const patience, pause = 10 * time.Second, 20 * time.Millisecond
		for waited := time.Duration(0); pid != 0 && waited < patience; waited += pause {
			time.Sleep(pause)
			if pid, err = holder(path); err != nil {
				return err
			}
		}
	}
	if pid, err := holder(path); err != nil || pid == 0 {
		return err
	}
	return fmt.Errorf("%s still runs", path)
}
