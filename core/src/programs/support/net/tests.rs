//! Tests of the network programs: what they print in a pod that talks to a server beside it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use expect_test::{Expect, expect};

use crate::{
    fabric::{
        Datagram, Fabric,
        dns::{Answer, Code, Question, Record, RecordData, RecordType},
        http::{HttpResponse, Reply, serve},
    },
    machine::{Command, Fd, Machine, MachineSpec},
    programs,
    runtime::images::IMAGES,
    sim::{Sim, Time},
};

struct World {
    sim: Sim,
    machine: Rc<Machine>,
}

/// A container of an image at 10.244.0.5, a server `web` at 10.244.0.6, a name server at .2.
fn world(image: &str) -> World {
    let sim = Sim::new(1, Time::from_secs(1_790_000_000));
    let def = IMAGES.iter().find(|def| def.repository == image).unwrap();
    let fs = def.image().files();
    let now = sim.now();
    fs.write("/etc/hosts", "127.0.0.1 localhost\n10.244.0.6 web\n10.244.0.99 gone\n", now).unwrap();
    let resolv =
        "nameserver 10.244.0.2\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5\n";
    fs.write("/etc/resolv.conf", resolv, now).unwrap();
    for name in ["curl", "nc", "nslookup", "ping", "wget"] {
        fs.install(&format!("/bin/{name}"), name, now).unwrap();
    }
    let env = [("PATH".to_string(), "/bin".to_string())].into();
    let spec = MachineSpec { hostname: "pod".into(), fs, env, programs: programs::find };
    let machine = Machine::new(&sim, spec);
    let fabric = Fabric::new(&sim);
    let node = fabric.host("node");
    node.site().add_subnet("10.244.0.0/24".parse().unwrap());
    let pod = |name, last| fabric.pod(node.site(), name, [10, 244, 0, last].into());
    machine.set(Rc::new(pod("pod", 5)));
    let (web, dns) = (pod("web", 6), pod("dns", 2));
    let spawner = sim.clone();
    serve(
        web.listen(80).unwrap(),
        Rc::new(move |f| spawner.spawn(f)),
        Rc::new(|r, _| match r.route() {
            "/" => Reply::now(HttpResponse::new(200, "text/html", "<h1>hello</h1>\n")),
            "/old" => Reply::now(HttpResponse::new(302, "text/html", "").with("Location", "/")),
            "/echo" => Reply::now(HttpResponse::new(
                200,
                "text/plain",
                format!("{} {} {:?}\n", r.method, r.path, String::from_utf8_lossy(&r.body)),
            )),
            "/hang" => Reply::Hang,
            "/close" => Reply::Close,
            _ => Reply::now(HttpResponse::new(404, "text/html", "no\n")),
        }),
    );
    let socket = dns.listen_datagrams(53).unwrap();
    sim.spawn(async move {
        let _kept = (web, dns, node);
        loop {
            let datagram: Datagram = socket.recv().await;
            let question = datagram.message.clone().downcast::<Question>().unwrap();
            let known = question.name == "web.ns.svc.cluster.local";
            let mut answer = Answer { code: Code::NxDomain, records: Vec::new() };
            if known {
                answer.code = Code::NoError;
                let data = RecordData::A([10, 96, 0, 7].into());
                let record = Record { name: question.name.clone(), ttl: 30, data };
                answer.records.extend((question.record == RecordType::A).then_some(record));
            }
            datagram.answer(Duration::ZERO, Rc::new(answer));
        }
    });
    // Something has to be process 1.
    let first = Command::new(["sh", "-c", "sleep 100000"]);
    machine.spawn(first).unwrap();
    World { sim, machine }
}

impl World {
    /// Runs a command line: what it prints on both outputs, and its exit code.
    fn run(&self, line: &str) -> String {
        let out = Rc::new(RefCell::new(Vec::new()));
        let into = out.clone();
        let fd = Fd::Sink(Rc::new(move |b: &[u8]| into.borrow_mut().extend_from_slice(b)));
        let command = Command::new(line.split_whitespace()).stdout(fd.clone()).stderr(fd);
        let child = self.machine.spawn(command).unwrap();
        let until = self.sim.now() + Duration::from_secs(2000);
        while child.status().is_none() && self.sim.now() < until {
            let due = self.sim.next_due().unwrap();
            self.sim.advance(due, 1);
        }
        let text = String::from_utf8(out.take()).unwrap();
        let text = text.replace("\r\n", "\n").replace('\r', "<CR>");
        match child.status().map(|s| s.code()) {
            Some(0) => text,
            code => format!("{text}[exit {code:?}]\n"),
        }
    }

    fn all(&self, lines: &[&str], want: Expect) {
        let all: String =
            lines.iter().map(|line| format!("$ {line}\n{}", self.run(line))).collect();
        want.assert_eq(&all);
    }
}

#[test]
fn curl_shows_what_curl_shows() {
    world("debian").all(
        &[
            "curl web",
            "curl -s http://web/",
            "curl -sv http://10.244.0.6/echo?a -d x=1 -d y",
            "curl -si localhost",
            "curl -sI web",
            "curl -sL -w %{http_code}-%{num_redirects}-%{url_effective}\\n web/old",
            "curl -sS web:81",
            "curl -sS http://gone:80/",
            "curl -sS -m 2 web/hang",
            "curl -sS --connect-timeout 1 1.2.3.4",
            "curl -sS web/close",
            "curl -sS nosuch",
            "curl -sSf web/none",
            "curl -s -o /dev/null -w %{http_code} web/none",
            "curl -s web:81",
            "curl --nope web",
            "curl",
        ],
        expect![[r#"
            $ curl web
              % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                             Dload  Upload   Total   Spent    Left  Speed
            <CR>  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0<CR>100    15  100    15    0     0  93750      0 --:--:-- --:--:-- --:--:-- 93750
            <h1>hello</h1>
            $ curl -s http://web/
            <h1>hello</h1>
            $ curl -sv http://10.244.0.6/echo?a -d x=1 -d y
            *   Trying 10.244.0.6:80...
            * Connected to 10.244.0.6 (10.244.0.6) port 80
            > POST /echo?a HTTP/1.1
            > Host: 10.244.0.6
            > User-Agent: curl/8.5.0
            > Accept: */*
            > Content-Length: 5
            > Content-Type: application/x-www-form-urlencoded
            > 
            } [5 bytes data]
            < HTTP/1.1 200 OK
            < Content-Type: text/plain
            < Content-Length: 21
            < 
            { [21 bytes data]
            * Connection #0 to host 10.244.0.6 left intact
            POST /echo?a "x=1&y"
            $ curl -si localhost
            [exit Some(7)]
            $ curl -sI web
            HTTP/1.1 200 OK
            Content-Type: text/html
            Content-Length: 15

            $ curl -sL -w %{http_code}-%{num_redirects}-%{url_effective}\n web/old
            <h1>hello</h1>
            200-1-http://web/
            $ curl -sS web:81
            curl: (7) Failed to connect to web port 81 after 0 ms: Couldn't connect to server
            [exit Some(7)]
            $ curl -sS http://gone:80/
            curl: (7) Failed to connect to gone port 80 after 3060 ms: Couldn't connect to server
            [exit Some(7)]
            $ curl -sS -m 2 web/hang
            curl: (28) Operation timed out after 2001 milliseconds with 0 bytes received
            [exit Some(28)]
            $ curl -sS --connect-timeout 1 1.2.3.4
            curl: (28) Failed to connect to 1.2.3.4 port 80 after 1001 ms: Timeout was reached
            [exit Some(28)]
            $ curl -sS web/close
            curl: (52) Empty reply from server
            [exit Some(52)]
            $ curl -sS nosuch
            curl: (6) Could not resolve host: nosuch
            [exit Some(6)]
            $ curl -sSf web/none
            curl: (22) The requested URL returned error: 404
            [exit Some(22)]
            $ curl -s -o /dev/null -w %{http_code} web/none
            404$ curl -s web:81
            [exit Some(7)]
            $ curl --nope web
            curl: option --nope: is unknown
            curl: try 'curl --help' or 'curl --manual' for more information
            [exit Some(2)]
            $ curl
            curl: no URL specified
            curl: try 'curl --help' or 'curl --manual' for more information
            [exit Some(2)]
        "#]],
    );
}

#[test]
fn wget_has_two_faces() {
    let lines = [
        "wget -O - http://web",
        "wget -q -O - http://web/old",
        "wget --quiet --output-document - http://10.244.0.6",
        "wget web/none",
        "wget -qO- web:81",
        "wget -T 2 -O- web/hang",
        "wget nosuch",
        "wget http://web/",
    ];
    world("busybox").all(
        &lines,
        expect![[r#"
        $ wget -O - http://web
        Connecting to web (10.244.0.6:80)
        writing to stdout
        <h1>hello</h1>
        -                    100% |********************************|    15  0:00:00 ETA
        written to stdout
        $ wget -q -O - http://web/old
        <h1>hello</h1>
        $ wget --quiet --output-document - http://10.244.0.6
        <h1>hello</h1>
        $ wget web/none
        Connecting to web (10.244.0.6:80)
        wget: server returned error: HTTP/1.1 404 Not Found
        [exit Some(1)]
        $ wget -qO- web:81
        wget: can't connect to remote host (10.244.0.6): Connection refused
        [exit Some(1)]
        $ wget -T 2 -O- web/hang
        Connecting to web (10.244.0.6:80)
        wget: download timed out
        [exit Some(1)]
        $ wget nosuch
        wget: bad address 'nosuch'
        [exit Some(1)]
        $ wget http://web/
        Connecting to web (10.244.0.6:80)
        saving to 'index.html'
        index.html           100% |********************************|    15  0:00:00 ETA
        'index.html' saved
    "#]],
    );
    world("debian").all(
        &lines,
        expect![[r#"
        $ wget -O - http://web
        --2026-09-21 14:13:20--  http://web/
        Resolving web (web)... 10.244.0.6
        Connecting to web (web)|10.244.0.6|:80... connected.
        HTTP request sent, awaiting response... 200 OK
        Length: 15 [text/html]
        Saving to: STDOUT

        <h1>hello</h1>
        -                   100%[===================>]      15  --.-KB/s    in 0s      

        2026-09-21 14:13:20 (25.3 MB/s) - written to stdout [15/15]

        $ wget -q -O - http://web/old
        <h1>hello</h1>
        $ wget --quiet --output-document - http://10.244.0.6
        <h1>hello</h1>
        $ wget web/none
        --2026-09-21 14:13:20--  http://web/none
        Resolving web (web)... 10.244.0.6
        Connecting to web (web)|10.244.0.6|:80... connected.
        HTTP request sent, awaiting response... 404 Not Found
        2026-09-21 14:13:20 ERROR 404: Not Found.

        [exit Some(8)]
        $ wget -qO- web:81
        [exit Some(4)]
        $ wget -T 2 -O- web/hang
        --2026-09-21 14:13:20--  http://web/hang
        Resolving web (web)... 10.244.0.6
        Connecting to web (web)|10.244.0.6|:80... connected.
        HTTP request sent, awaiting response... failed: Connection timed out.
        [exit Some(4)]
        $ wget nosuch
        --2026-09-21 14:13:22--  http://nosuch/
        Resolving nosuch (nosuch)... failed: Name or service not known.
        wget: unable to resolve host address ‘nosuch’
        [exit Some(4)]
        $ wget http://web/
        --2026-09-21 14:13:22--  http://web/
        Resolving web (web)... 10.244.0.6
        Connecting to web (web)|10.244.0.6|:80... connected.
        HTTP request sent, awaiting response... 200 OK
        Length: 15 [text/html]
        Saving to: ‘index.html’

        index.html          100%[===================>]      15  --.-KB/s    in 0s      

        2026-09-21 14:13:22 (25.3 MB/s) - ‘index.html’ saved [15/15]

    "#]],
    );
}

#[test]
fn ping_nslookup_and_nc() {
    let lines = [
        "ping -c 2 web",
        "ping -c 1 -W 1 10.96.0.1",
        "ping nosuch",
        "nslookup web",
        "nslookup web.ns.svc.cluster.local",
        "nslookup nosuch",
        "nslookup web 10.244.0.6",
        "nc -zv web 80",
        "nc -zv web 81",
        "ip -br addr",
    ];
    world("busybox").all(
        &lines,
        expect![[r#"
        $ ping -c 2 web
        PING web (10.244.0.6): 56 data bytes
        64 bytes from 10.244.0.6: seq=0 ttl=64 time=0.119 ms
        64 bytes from 10.244.0.6: seq=1 ttl=64 time=0.112 ms

        --- web ping statistics ---
        2 packets transmitted, 2 packets received, 0% packet loss
        round-trip min/avg/max = 0.112/0.116/0.119 ms
        $ ping -c 1 -W 1 10.96.0.1
        PING 10.96.0.1 (10.96.0.1): 56 data bytes

        --- 10.96.0.1 ping statistics ---
        1 packets transmitted, 0 packets received, 100% packet loss
        [exit Some(1)]
        $ ping nosuch
        ping: bad address 'nosuch'
        [exit Some(1)]
        $ nslookup web
        Server:		10.244.0.2
        Address:	10.244.0.2:53

        Name:	web.ns.svc.cluster.local
        Address: 10.96.0.7

        ** server can't find web.svc.cluster.local: NXDOMAIN


        ** server can't find web.svc.cluster.local: NXDOMAIN

        [exit Some(1)]
        $ nslookup web.ns.svc.cluster.local
        Server:		10.244.0.2
        Address:	10.244.0.2:53

        Name:	web.ns.svc.cluster.local
        Address: 10.96.0.7


        $ nslookup nosuch
        Server:		10.244.0.2
        Address:	10.244.0.2:53

        ** server can't find nosuch.ns.svc.cluster.local: NXDOMAIN

        ** server can't find nosuch.svc.cluster.local: NXDOMAIN

        ** server can't find nosuch.ns.svc.cluster.local: NXDOMAIN

        ** server can't find nosuch.svc.cluster.local: NXDOMAIN

        [exit Some(1)]
        $ nslookup web 10.244.0.6
        ;; connection timed out; no servers could be reached

        [exit Some(1)]
        $ nc -zv web 80
        web (10.244.0.6:80) open
        $ nc -zv web 81
        nc: web (10.244.0.6:81): Connection refused
        [exit Some(1)]
        $ ip -br addr
        lo               UNKNOWN        127.0.0.1/8 
        eth0             UP             10.244.0.5/24 
    "#]],
    );
    world("debian").all(
        &lines[..9],
        expect![[r#"
        $ ping -c 2 web
        PING web (10.244.0.6) 56(84) bytes of data.
        64 bytes from 10.244.0.6: icmp_seq=1 ttl=64 time=0.119 ms
        64 bytes from 10.244.0.6: icmp_seq=2 ttl=64 time=0.112 ms

        --- web ping statistics ---
        2 packets transmitted, 2 received, 0% packet loss, time 1000ms
        rtt min/avg/max/mdev = 0.112/0.116/0.119/0.004 ms
        $ ping -c 1 -W 1 10.96.0.1
        PING 10.96.0.1 (10.96.0.1) 56(84) bytes of data.

        --- 10.96.0.1 ping statistics ---
        1 packets transmitted, 0 received, 100% packet loss, time 1000ms

        [exit Some(1)]
        $ ping nosuch
        ping: nosuch: Name or service not known
        [exit Some(2)]
        $ nslookup web
        Server:		10.244.0.2
        Address:	10.244.0.2#53

        Name:	web.ns.svc.cluster.local
        Address: 10.96.0.7

        $ nslookup web.ns.svc.cluster.local
        Server:		10.244.0.2
        Address:	10.244.0.2#53

        Name:	web.ns.svc.cluster.local
        Address: 10.96.0.7

        $ nslookup nosuch
        Server:		10.244.0.2
        Address:	10.244.0.2#53

        ** server can't find nosuch: NXDOMAIN

        [exit Some(1)]
        $ nslookup web 10.244.0.6
        ;; connection timed out; no servers could be reached

        [exit Some(1)]
        $ nc -zv web 80
        Connection to web (10.244.0.6) 80 port [tcp/*] succeeded!
        $ nc -zv web 81
        nc: connect to web (10.244.0.6) port 81 (tcp) failed: Connection refused
        [exit Some(1)]
    "#]],
    );
}
