package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// What a near end tries. Each scenario begins with a session and leaves one without streams, or ends it.

// Many streams, all open at once.
func (n *nearEnd) many() {
	l, address := n.listen("unix")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go echo(c.(conn))
		}
	}()
	all := make([]stream, n.count)
	failures := make(chan error, n.count)
	each := func(what func(i int) error) {
		for i := range all {
			go func(i int) {
				failures <- what(i)
			}(i)
		}
		for range all {
			must(<-failures, "one of many")
		}
	}
	each(func(i int) error {
		all[i] = n.connect(address)
		return nil
	})
	for turn := 0; turn < 3; turn++ {
		each(func(i int) error {
			return ask(all[i], fmt.Sprintf("turn %d of stream %d", turn, i))
		})
	}
	if open := n.session.NumStreams(); open != n.count {
		fail("%d streams are open", open)
	}
	each(func(i int) error {
		all[i].CloseWrite()
		return ends(all[i])
	})
	l.Close()
	n.alive()
}

// This side ends first; the other goes on.
func (n *nearEnd) endByNear() {
	for _, network := range []string{"unix", "tcp"} {
		for _, count := range []int64{0, 1, 3_000_000} {
			s, c := n.pair(network)
			go func() {
				must(send(s, count), "sending")
				s.CloseWrite()
			}()
			must(receive(c, count), "what the target gets")
			must(ends(c), "the target's end of input")
			time.Sleep(20 * time.Millisecond)
			go func() {
				must(send(c, 3_000_000), "sending from the target")
				must(c.Close(), "closing")
			}()
			must(receive(s, 3_000_000), "what comes after the end")
			must(ends(s), "the end")
		}
	}
}

// The target ends first; this side goes on.
func (n *nearEnd) endByTarget() {
	for _, network := range []string{"unix", "tcp"} {
		for _, count := range []int64{0, 1, 3_000_000} {
			s, c := n.pair(network)
			go func() {
				must(send(c, count), "sending from the target")
				must(c.CloseWrite(), "ending")
			}()
			must(receive(s, count), "what comes")
			must(ends(s), "the end")
			time.Sleep(20 * time.Millisecond)
			go func() {
				must(send(s, 3_000_000), "sending after the end")
				s.CloseWrite()
			}()
			must(receive(c, 3_000_000), "what the target gets after its end")
			must(ends(c), "the target's end of input")
			c.Close()
		}
	}
}

// A reset of this side's: the target's connection ends at once, whatever it does just then.
func (n *nearEnd) resetByNear() {
	for _, network := range []string{"unix", "tcp"} {
		for _, writing := range []bool{false, true} {
			s, c := n.pair(network)
			if writing {
				go send(c, 1<<40)
				_, err := io.CopyN(io.Discard, s, 500_000)
				must(err, "reading")
			}
			s.reset()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && os.IsTimeout(err) {
				fail("the target's connection goes on")
			}
			c.Close()
		}
	}
	n.alive()
	if left := n.session.NumStreams(); left > 4 { // this library does not know that it has reset them
		fail("%d streams are left", left)
	}
	if n.log.errors() {
		fail("yamux has found errors")
	}
	n.finish(0)
}

// The target fails: a reset comes. If bytes were on their way to it nobody can tell a failure from its leaving, and an end
// may come before.
func (n *nearEnd) resetByTarget() {
	for _, writing := range []bool{false, true} {
		s, c := n.pair("tcp")
		failed := make(chan error, 1)
		if writing {
			go func() {
				failed <- send(s, 1<<40)
			}()
			_, err := io.CopyN(io.Discard, c, 500_000)
			must(err, "reading")
		} else {
			failed <- yamux.ErrConnectionReset
		}
		must(c.(*net.TCPConn).SetLinger(0), "SO_LINGER")
		c.Close()
		_, err := io.Copy(io.Discard, struct{ io.Reader }{s})
		if err != yamux.ErrConnectionReset && !(writing && err == nil) {
			fail("%v instead of a reset, reading", err)
		}
		if err := <-failed; err != yamux.ErrConnectionReset {
			fail("%v instead of a reset, writing", err)
		}
	}
	n.alive()
}

// This side does not read: just a window of bytes comes, and other streams are as fast as ever.
func (n *nearEnd) slowNear() {
	s, c := n.pair("unix")
	sent := make(chan error)
	go func() {
		sent <- send(c, n.bytes)
		c.Close()
	}()
	for i := 0; n.tap.came(s.StreamID()) < window; i++ {
		if i == 10000 {
			fail("%d bytes came", n.tap.came(s.StreamID()))
		}
		time.Sleep(time.Millisecond)
	}
	n.alive()
	time.Sleep(100 * time.Millisecond)
	n.alive()
	if came := n.tap.came(s.StreamID()); came != window {
		fail("%d bytes came", came)
	}
	must(receive(s, n.bytes), "what came")
	must(<-sent, "sending")
	must(ends(s), "the end")
	s.CloseWrite()
	if n.tap.largest > 240<<10 {
		fail("a frame of %d bytes", n.tap.largest)
	}
}

// The target does not read: writing stops soon, and other streams are as fast as ever.
func (n *nearEnd) slowTarget() {
	s, c := n.pair("unix")
	var mutex sync.Mutex
	written := 0
	sent := make(chan error)
	go func() {
		sent <- send(writerFunc(func(p []byte) (int, error) {
			done, err := s.Write(p)
			mutex.Lock()
			written += done
			mutex.Unlock()
			return done, err
		}), n.bytes)
	}()
	last := -1
	for same := 0; same < 20; same++ {
		time.Sleep(10 * time.Millisecond)
		mutex.Lock()
		if written != last {
			same = 0
		}
		last = written
		mutex.Unlock()
	}
	n.alive()
	// A window, what grew of it at first, buffers of the relay's and the kernel's.
	if last < window-64<<10 || last > 4<<20 {
		fail("%d bytes were written", last)
	}
	say("%d bytes were written before it stopped", last)
	must(receive(c, n.bytes), "what the target gets")
	must(<-sent, "sending")
	s.CloseWrite()
	must(ends(c), "the target's end of input")
	c.Close()
	must(ends(s), "the end")
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) {
	return f(p)
}

func (n *nearEnd) ping() {
	n.alive() // by now the far end's first frame has come
	n.tap.in.Lock()
	first := *n.tap.first
	n.tap.in.Unlock()
	if first.kind != typePing || first.flags != flagSYN || first.length>>16 != 0x7576 || first.length&0xFFFF != 32 {
		fail("the first frame is %+v", first)
	}
	s, c := n.pair("unix")
	go echo(c)
	stop := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, struct{ io.Reader }{s})
		stop <- err
	}()
	var longest time.Duration
	for i := 0; i < 100; i++ {
		if i%2 == 0 {
			s.Write(make([]byte, 100_000)) // in the midst of other things
		}
		passed, err := n.session.Ping()
		must(err, "a ping")
		if passed > longest {
			longest = passed
		}
	}
	say("the longest ping took %v", longest)
	s.CloseWrite()
	must(<-stop, "the echo")
}

// This side goes away: what is open goes on.
func (n *nearEnd) goAway() {
	s, c := n.pair("unix")
	go echo(c)
	must(ask(s, "before"), "asking")
	must(n.session.GoAway(), "going away")
	for i := 0; i < 10; i++ {
		must(ask(s, "after it"), "asking")
	}
	s.CloseWrite()
	must(ends(s), "the end")
}

// Many bytes each way at once.
func (n *nearEnd) bulk() {
	s, c := n.pair("unix")
	begun := time.Now()
	done := make(chan error)
	go func() { done <- send(s, n.bytes) }()
	go func() { done <- send(c, n.bytes) }()
	go func() { done <- receive(s, n.bytes) }()
	go func() { done <- receive(c, n.bytes) }()
	for i := 0; i < 4; i++ {
		must(<-done, "a direction")
	}
	passed := time.Since(begun).Seconds()
	say("%d bytes each way in %.2f s: %.0f MB/s both ways together", n.bytes, passed, 2*float64(n.bytes)/1e6/passed)
	s.CloseWrite()
	must(ends(c), "the target's end of input")
	c.Close()
	must(ends(s), "the end")
}

// refused asserts that an answer is an error of one of these codes, with a sentence, and then the end.
func (n *nearEnd) refused(request string, codes ...string) string {
	s, answer := n.request(request)
	words := strings.SplitN(answer, " ", 3)
	found := false
	for _, one := range codes {
		found = found || len(words) == 3 && words[0] == "ERR" && words[1] == one
	}
	if !found || len(words[2]) < 10 {
		fail("%.100q: %q instead of one of %v", request, answer, codes)
	}
	must(ends(s), "the end after the answer")
	s.CloseWrite()
	return words[2]
}

func (n *nearEnd) errors() {
	long := strings.Repeat("x", 5000)
	n.refused("CONNECT unix://"+n.dir+"/none\n", "ENOENT")
	n.refused("CONNECT unix://"+n.dir+"\n", "ECONNREFUSED", "EACCES")
	l, address := n.listen("tcp")
	l.Close()
	n.refused("CONNECT "+address+"\n", "ECONNREFUSED")
	for _, request := range []string{"\n", "CONNECT\n", "CONNECT \n", "connect " + address + "\n", "HELLO\n", "OK\n",
		"CONNECT nonsense\n", "CONNECT tcp://127.0.0.1\n", "CONNECT " + address + "\r\n", "CONNECT a\x00b\n",
		"CONNECT \xff\xfe\n", "CONNECT -\n", "CONNECT fd://3\n", "CONNECT via:" + address + "\n"} {
		n.refused(request, "EINVAL", "ENOTSUP")
	}
	n.refused("CONNECT unix:///"+long+"\n", "EINVAL", "ENAMETOOLONG")
	n.refused(long, "EINVAL") // has no end at all
	// A request may come in pieces, and what is behind it is the target's.
	l, address = n.listen("unix")
	s := n.open()
	request := "CONNECT " + address + "\nhello"
	for i := range request {
		_, err := io.WriteString(s, request[i:i+1])
		must(err, "asking for a connection")
	}
	c := accept(l)
	go echo(c)
	line, err := readLine(s, 100)
	must(err, "reading the answer")
	if line != "OK" {
		fail("%s", line)
	}
	got := make([]byte, 5)
	_, err = io.ReadFull(s, got)
	must(err, "reading the echo")
	if string(got) != "hello" {
		fail("%q", got)
	}
	s.CloseWrite()
	must(ends(s), "the end")
	// One that ends without a request is no harm.
	s = n.open()
	s.CloseWrite()
	io.Copy(io.Discard, struct{ io.Reader }{s})
	n.alive()
}

// Only what is in the directory is allowed.
func (n *nearEnd) notAllowed() {
	n.alive()
	l, address := n.listen("tcp")
	defer l.Close()
	text := n.refused("CONNECT "+address+"\n", "EACCES")
	if want := address + " is not allowed: the patterns are " + n.pattern; text != want {
		fail("%q instead of %q", text, want)
	}
	n.refused("CONNECT unix:///etc/passwd\n", "EACCES")
	n.refused("CONNECT unix://"+n.dir+"/../../../../../../../../../etc/passwd\n", "EACCES", "EINVAL")
	n.alive()
}

// The far end has places for two: what is more is refused in words, until there is one again.
func (n *nearEnd) full() {
	l, address := n.listen("unix")
	one, c := n.pair("unix")
	go echo(c)
	two, c := n.pair("unix")
	go echo(c)
	for i := 0; i < 300; i++ { // more than the backlog, too
		n.refused("CONNECT "+address+"\n", "EBUSY")
	}
	one.CloseWrite()
	must(ends(one), "the end")
	for {
		s, answer := n.request("CONNECT " + address + "\n")
		s.CloseWrite()
		if answer == "OK" {
			go echo(accept(l))
			must(ends(s), "the end")
			break
		}
		must(ends(s), "the end after the answer")
	}
	l.Close()
	two.CloseWrite()
	must(ends(two), "the end")
}

// This side breaks the rules: a go-away for it comes, and the far end's status tells.
func (n *nearEnd) breakRules() {
	s, c := n.pair("unix")
	n.tap.slip(frame{7, typeWindow, 0, s.StreamID(), 0}.bytes())
	must(ends(struct{ io.Reader }{c}), "the target's end of input")
	c.Close()
	n.finish(1)
	away := n.tap.goneAway()
	if away == nil || away.length != 1 || away.flags != 0 || away.stream != 0 {
		fail("its last word is %+v", away)
	}
}

// This side is gone: all targets' connections end within a second, and the far end exits in order.
func (n *nearEnd) cut() {
	l, address := n.listen("unix")
	var targets []conn
	for i := 0; i < 100; i++ {
		n.connect(address)
		c := accept(l)
		targets = append(targets, c)
		if i%4 == 0 {
			go send(c, 1<<40)
		}
	}
	begun := time.Now()
	n.tap.Close()
	for _, c := range targets {
		io.Copy(io.Discard, c)
		c.Close()
	}
	passed := time.Since(begun)
	say("the last of 100 connections ended after %v", passed)
	if passed > 10*time.Second {
		fail("that is long")
	}
	n.finish(0)
}
