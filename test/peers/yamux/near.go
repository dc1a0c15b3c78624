package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/yamux"
)

// A near end, and the targets that its far end is to dial.
type nearEnd struct {
	tap     *tap
	session *yamux.Session
	child   *exec.Cmd
	log     log
	dir     string
	count   int
	bytes   int64
	pattern string
	targets int
}

// A child's standard input and output.
type pipes struct {
	io.WriteCloser
	io.Reader
}

func near(scenario string, args []string) {
	n := &nearEnd{}
	flags := flag.NewFlagSet("near", flag.ExitOnError)
	flags.StringVar(&n.dir, "dir", "", "where targets listen")
	flags.IntVar(&n.count, "count", 1000, "how many streams")
	flags.Int64Var(&n.bytes, "bytes", 100_000_000, "how many bytes each way")
	flags.StringVar(&n.pattern, "pattern", "", "what the far end was told to allow")
	flags.Parse(args)
	scenarios := map[string]func(*nearEnd){
		"many": (*nearEnd).many, "end-by-near": (*nearEnd).endByNear, "end-by-target": (*nearEnd).endByTarget,
		"reset-by-near": (*nearEnd).resetByNear, "reset-by-target": (*nearEnd).resetByTarget,
		"slow-near": (*nearEnd).slowNear, "slow-target": (*nearEnd).slowTarget, "ping": (*nearEnd).ping,
		"go-away": (*nearEnd).goAway, "bulk": (*nearEnd).bulk, "errors": (*nearEnd).errors,
		"not-allowed": (*nearEnd).notAllowed, "break": (*nearEnd).breakRules, "cut": (*nearEnd).cut, "full": (*nearEnd).full,
	}
	run := scenarios[scenario]
	if run == nil {
		fail("there is no scenario %q", scenario)
	}
	n.start(flags.Args())
	run(n)
	n.end(0)
	say("%s: all right", scenario)
}

func (n *nearEnd) start(command []string) {
	n.child = exec.Command(command[0], command[1:]...)
	n.child.Stderr = os.Stderr
	in, err := n.child.StdinPipe()
	must(err, "a pipe")
	out, err := n.child.StdoutPipe()
	must(err, "a pipe")
	must(n.child.Start(), "starting the far end")
	atEnd = func() {
		n.child.Process.Kill()
		n.child.Wait()
	}
	_, err = io.WriteString(in, version)
	must(err, "saying what this speaks")
	line, err := readLine(out, 100)
	must(err, "reading what the far end speaks")
	if line+"\n" != version {
		fail("the far end says %q", line)
	}
	n.tap = newTap(pipes{in, out})
	n.session, err = yamux.Client(n.tap, configuration(&n.log))
	must(err, "starting yamux")
}

// end asserts that nothing is left, ends the far end's input, and waits for its exit.
func (n *nearEnd) end(status int) {
	if atEnd == nil {
		return // has been done
	}
	for i := 0; n.session.NumStreams() > 0 && status == 0; i++ {
		if i == 5000 {
			fail("%d streams are not closed", n.session.NumStreams())
		}
		time.Sleep(time.Millisecond)
	}
	if n.log.errors() && status == 0 {
		fail("yamux has found errors")
	}
	n.finish(status)
}

func (n *nearEnd) finish(status int) {
	begun := time.Now()
	n.tap.Close() // reading goes on until the far end has closed its side
	n.child.Wait()
	atEnd = nil
	if got := n.child.ProcessState.ExitCode(); got != status {
		fail("the far end's status is %d, not %d", got, status)
	}
	if passed := time.Since(begun); passed > 10*time.Second {
		fail("the far end took %v to end", passed)
	}
}

// listen makes a target and gives its address.
func (n *nearEnd) listen(network string) (net.Listener, string) {
	if network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(err, "listening")
		return l, "tcp://" + l.Addr().String()
	}
	n.targets++
	path := filepath.Join(n.dir, fmt.Sprintf("t%d", n.targets))
	l, err := net.Listen("unix", path)
	must(err, "listening")
	return l, "unix://" + path
}

type conn interface {
	net.Conn
	CloseWrite() error
}

func accept(l net.Listener) conn {
	c, err := l.Accept()
	must(err, "accepting")
	return c.(conn)
}

func (n *nearEnd) open() stream {
	s, err := n.session.OpenStream()
	must(err, "opening a stream")
	return stream{s, n.tap}
}

// request asks for a connection and gives the answer.
func (n *nearEnd) request(text string) (stream, string) {
	s := n.open()
	_, err := io.WriteString(s, text)
	must(err, "asking for a connection")
	line, err := readLine(s, 10000)
	must(err, "reading the answer")
	return s, line
}

func (n *nearEnd) connect(address string) stream {
	s, answer := n.request("CONNECT " + address + "\n")
	if answer != "OK" {
		fail("%s: %s", address, answer)
	}
	return s
}

// pair makes a stream and the target's side of it.
func (n *nearEnd) pair(network string) (stream, conn) {
	l, address := n.listen(network)
	defer l.Close()
	s := n.connect(address)
	return s, accept(l)
}

func echo(c conn) {
	io.Copy(c, c)
	c.CloseWrite()
	c.Close()
}

// alive asserts that the session still works.
func (n *nearEnd) alive() {
	s, c := n.pair("unix")
	go echo(c)
	must(ask(s, "still there?"), "asking")
	s.CloseWrite()
	must(ends(s), "the echo's end")
}

func ask(s io.ReadWriter, text string) error {
	if _, err := io.WriteString(s, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("%q came back instead of %q", got, text)
	}
	return nil
}
