package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

// The far end. It dials unix:// and tcp:// addresses, but these it serves itself; each but the last two is answered OK.
//
//	unix:///peer/echo             sends back what comes, and its end
//	unix:///peer/hash             reads to the end, then sends the hash of it all, in hex, and ends
//	unix:///peer/source/N         sends N bytes and their hash, and ends
//	unix:///peer/both/N           does both at once: sends N bytes and their hash, and reads as many; says so on stderr
//	unix:///peer/first/N          ends first, then reads N bytes and their hash to the end; says so on stderr
//	unix:///peer/stall            reads nothing until there is a stream to the next one
//	unix:///peer/resume           sends how much had come for those that stall; they then do as hash does
//	unix:///peer/reset/N          reads N bytes, and resets the stream
//	unix:///peer/ping             pings ten times, and tells so
//	unix:///peer/go-away          tells that it goes away, then echoes
//	unix:///peer/break            breaks the protocol by a frame of version 7
//	unix:///peer/exit/STATUS      exits
//	unix:///peer/busy/N           is ERR EBUSY the first N times, then echoes
//	unix:///peer/answer/TEXT      answers TEXT, where %20 is a blank, in a line, and ends
type farEnd struct {
	tap     *tap
	session *yamux.Session
	sync.Mutex
	busy    int
	stalled []stream
	resume  chan struct{}
}

func say(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// Standard input and output.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error {
	os.Stdin.Close()
	return os.Stdout.Close()
}

func far(args []string) {
	flags := flag.NewFlagSet("far", flag.ExitOnError)
	greeting := flags.String("greeting", version, "what to say first; \\n, \\r and \\xNN are known")
	silent := flags.Bool("silent", false, "answer nothing at all, after the greeting")
	status := flags.Int("exit", -1, "say \"no luck\" on standard error and exit so at once")
	flags.Parse(args)
	if *status >= 0 {
		say("no luck")
		os.Exit(*status)
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimSuffix(*greeting, "\n"), `"`, `\"`) + `"`)
	must(err, *greeting)
	if *greeting == version {
		text = version
	}
	_, err = os.Stdout.WriteString(text)
	must(err, "saying what this speaks")
	if *silent || text != version {
		io.Copy(io.Discard, os.Stdin)
		return
	}
	line, err := readLine(os.Stdin, 100)
	if err == io.EOF {
		return
	}
	must(err, "reading what the near end speaks")
	if line+"\n" != version {
		fail("the near end says %q", line)
	}
	var l log
	f := &farEnd{tap: newTap(stdio{}), resume: make(chan struct{})}
	f.session, err = yamux.Server(f.tap, configuration(&l))
	must(err, "starting yamux")
	for {
		s, err := f.session.AcceptStream()
		if err != nil {
			return // with its standard input
		}
		go f.serve(stream{s, f.tap})
	}
}

func code(err error) string {
	for name, number := range map[string]error{"ENOENT": syscall.ENOENT, "ECONNREFUSED": syscall.ECONNREFUSED,
		"EACCES": syscall.EACCES, "EBUSY": syscall.EAGAIN} {
		if errors.Is(err, number) {
			return name
		}
	}
	return "EIO"
}

func (f *farEnd) serve(s stream) {
	line, err := readLine(s, 2048)
	if err != nil || !strings.HasPrefix(line, "CONNECT ") {
		fmt.Fprintf(s, "ERR EINVAL %q is no request\n", line)
		s.Close()
		return
	}
	address := strings.TrimPrefix(line, "CONNECT ")
	if strings.HasPrefix(address, "unix:///peer/") {
		words := strings.SplitN(strings.TrimPrefix(address, "unix:///peer/"), "/", 2)
		argument := ""
		if len(words) > 1 {
			argument = words[1]
		}
		f.serveItself(s, words[0], argument)
		return
	}
	words := strings.SplitN(address, "://", 2)
	if len(words) != 2 {
		fmt.Fprintf(s, "ERR EINVAL %q is no address\n", address)
		s.Close()
		return
	}
	conn, err := net.Dial(words[0], words[1])
	if err != nil {
		fmt.Fprintf(s, "ERR %s %v\n", code(err), err)
		s.Close()
		return
	}
	io.WriteString(s, "OK\n")
	relay(s, conn.(interface {
		net.Conn
		CloseWrite() error
	}))
}

// relay copies both ways until both have ended; a failure on one side is one on the other.
func relay(s stream, conn interface {
	net.Conn
	CloseWrite() error
}) {
	done := make(chan error, 2)
	go func() {
		_, err := io.Copy(s, conn)
		if err == nil {
			s.CloseWrite()
		}
		done <- err
	}()
	go func() {
		_, err := io.Copy(conn, struct{ io.Reader }{s})
		if err == nil {
			conn.CloseWrite()
		}
		done <- err
	}()
	for i := 0; i < 2; i++ {
		if err := <-done; err != nil {
			say("stream %d: %v", s.StreamID(), err)
			if err != yamux.ErrConnectionReset {
				s.reset()
			}
			if tcp, is := conn.(*net.TCPConn); is {
				tcp.SetLinger(0)
			}
			break
		}
	}
	conn.Close()
}

func (f *farEnd) serveItself(s stream, what, argument string) {
	count, _ := strconv.ParseInt(argument, 10, 64)
	if what == "answer" {
		io.WriteString(s, strings.ReplaceAll(argument, "%20", " ")+"\n")
		s.Close()
		return
	}
	if what == "busy" {
		f.Lock()
		f.busy++
		busy := int64(f.busy) <= count
		f.Unlock()
		if busy {
			io.WriteString(s, "ERR EBUSY all instances of the pipe are busy\n")
			s.Close()
			return
		}
	}
	io.WriteString(s, "OK\n")
	var err error
	switch what {
	case "echo", "busy":
		_, err = io.Copy(s, struct{ io.Reader }{s})
	case "hash":
		err = answerHash(s)
	case "source":
		err = send(s, count)
	case "both":
		got := make(chan error)
		go func() {
			got <- receive(s, count)
		}()
		err = send(s, count)
		if err == nil {
			err = <-got
		}
		if err == nil {
			err = ends(s)
		}
	case "first":
		s.Close()
		if err = receive(s, count); err == nil {
			err = ends(s)
		}
	case "stall":
		f.Lock()
		f.stalled = append(f.stalled, s)
		f.Unlock()
		<-f.resume
		err = answerHash(s)
	case "resume":
		f.Lock()
		for _, one := range f.stalled {
			fmt.Fprintf(s, "%d\n", f.tap.came(one.StreamID()))
		}
		f.Unlock()
		close(f.resume)
	case "reset":
		_, err = io.CopyN(io.Discard, s, count)
		s.reset()
		return
	case "ping":
		for i := 0; i < 10 && err == nil; i++ {
			_, err = f.session.Ping()
		}
		if err == nil {
			io.WriteString(s, "10 answers\n")
		}
	case "go-away":
		if err = f.session.GoAway(); err == nil {
			_, err = io.Copy(s, struct{ io.Reader }{s})
		}
	case "break":
		f.tap.slip([]byte("\x07\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"))
		for i := 0; i < 1000 && f.tap.goneAway() == nil; i++ {
			time.Sleep(time.Millisecond)
		}
		if away := f.tap.goneAway(); away != nil {
			say("go-away %d", away.length)
		}
		return
	case "exit":
		os.Exit(int(count))
	default:
		err = fmt.Errorf("nothing is known of %q", what)
	}
	if err != nil {
		say("stream %d: %s: %v", s.StreamID(), what, err)
	} else {
		say("stream %d: %s: done", s.StreamID(), what)
	}
	s.Close()
}

func hashOf(from io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, struct{ io.Reader }{from})
	return hex.EncodeToString(h.Sum(nil)), err
}

func answerHash(s stream) error {
	sum, err := hashOf(s)
	if err == nil {
		_, err = io.WriteString(s, sum+"\n")
	}
	return err
}
