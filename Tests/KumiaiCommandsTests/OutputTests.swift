import Foundation
import TestKit
import Testing

/// Output that cannot be written never crashes the program and is never lost silently.
@Suite(.serialized) struct OutputTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// Runs a script in which `$KUMIAI` is the program.
    private func bash(_ script: String) throws -> Shell.Outcome {
        try Shell.run(["bash", "-c", script], environment: ["KUMIAI": Shell.kumiai], directory: directory.path)
    }

    private func object(_ outcome: Shell.Outcome) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any],
            "\(outcome.output)"
        )
    }

    @Test(arguments: [
        "--help", "--version", "coordinator", "worker run --help", "--generate-completion-script bash", "policy init",
        "--experimental-dump-help",
        "pki ca --consortium test.kumiai.example --json", "pki request member/acme/site/osaka --out osaka",
    ])
    func aFullDiskIsExit1WithItsReason(command: String) throws {
        let outcome = try bash("$KUMIAI \(command) > /dev/full")
        #expect(outcome.status == 1, "\(outcome.status)")
        #expect(
            outcome.error.contains("kumiai: error: cannot write to standard output: no space left on device"),
            "\(outcome.error)"
        )
    }

    @Test(arguments: ["--help", "policy init", "pki request member/acme/site/osaka --out osaka"])
    func aReaderThatLeavesEndsACommandQuietly(command: String) throws {
        // The reader has ended before the command writes.
        _ = try bash("( sleep 1; $KUMIAI \(command) 2> errors; echo $? > status ) | true")
        #expect(String(decoding: try directory.read("status"), as: UTF8.self) == "141\n")
        #expect(try directory.read("errors").isEmpty)
    }

    @Test func anAuditThatFoundTamperingSaysSoAlsoWhereNobodyReadsItsReport() throws {
        try FileManager.default.createDirectory(atPath: directory.file("copy"), withIntermediateDirectories: true)
        try directory.write("copy/ledger.sqlite", Array("no ledger at all".utf8))
        let before = try bash("$KUMIAI audit verify copy")
        let outcome = try bash("$KUMIAI audit verify copy > /dev/full")
        #expect(outcome.status == before.status && before.status != 0, "\(before.status) \(outcome.status)")
    }

    @Test func closedDescriptorsDoNotBecomeFilesThatAreOpenedLater() throws {
        let ca = "$KUMIAI pki ca --consortium test.kumiai.example --out"
        let closed = try bash("\(ca) a >&-")
        #expect(
            closed.status == 1 && closed.error.contains("cannot write to standard output: it is closed"),
            "\(closed.status) \(closed.error)"
        )
        #expect(try bash("\(ca) b 2>&-").status == 0)
        #expect(try bash("\(ca) c <&- >&- 2>&-").status == 1)
        for name in ["a", "b", "c"] {
            for file in ["ca.key", "ca.pem"] {
                let text = String(decoding: try directory.read("\(name)/\(file)"), as: UTF8.self)
                #expect(
                    text.hasPrefix("-----BEGIN") && !text.contains("made the CA"),
                    "\(name)/\(file): \(text.prefix(80))"
                )
            }
        }
    }

    @Test func anErrorThatCannotBeSaidKeepsItsExitCode() throws {
        for target in ["2>/dev/full", "2>&-", ">/dev/full 2>/dev/full", ">&- 2>&-"] {
            #expect(try bash("$KUMIAI campaign status --config missing.toml \(target)").status == 6, "\(target)")
            #expect(try bash("$KUMIAI campaign statsu \(target)").status == 64, "\(target)")
        }
    }

    // MARK: Services

    @Test(arguments: ["2> /dev/full", "2>&-", "2> >(exit 0)", "> /dev/full 2>&1"])
    func servicesGoOnWhereTheirLogCannotBeWritten(target: String) throws {
        let consortium = try Consortium(sites: 1)
        let services = try [
            "coordinator run --config coordinator/coordinator.toml", "worker run --config acme-osaka/worker.toml",
        ].map {
            command in
            try Shell.start(
                ["bash", "-c", "exec \(Shell.kumiai) \(command) \(target)"],
                directory: consortium.directory.path,
                output: "/dev/null",
                error: "/dev/null"
            )
        }
        defer { for service in services where service.isRunning { service.terminate() } }
        #expect(
            consortium.wait {
                ((try? consortium.status())?["sites"] as? [[String: Any]])?.first?["connected"] as? Bool == true
            }
        )
        for service in services { kill(service.processIdentifier, SIGHUP) }
        sleep(1)
        #expect((try consortium.status())["consortium"] != nil)
        for service in services.reversed() {
            #expect(service.isRunning)
            #expect(consortium.stop(service) == 0)
        }
    }

    @Test func aHangUpOpensTheLogFileAgainAndEndsNoService() throws {
        let consortium = try Consortium(sites: 1)
        func log(_ name: String) -> String {
            (try? consortium.directory.read(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let coordinator = try consortium.start(
            "coordinator",
            [
                "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"), "--log-file",
                consortium.path("c.log"),
            ]
        )
        let worker = try consortium.start(
            "worker",
            [
                "worker", "run", "--config", consortium.path("acme-osaka/worker.toml"), "--log-file",
                consortium.path("w.log"),
            ]
        )
        #expect(consortium.wait { log("c.log").contains("site connected") && log("w.log").contains("worker starts") })
        for (service, name) in [(coordinator, "c.log"), (worker, "w.log")] {
            try FileManager.default.moveItem(atPath: consortium.path(name), toPath: consortium.path("\(name).1"))
            kill(service.processIdentifier, SIGHUP)
            #expect(consortium.wait(seconds: 20) { log(name).contains("log file reopened") }, "\(log(name))")
        }
        #expect(consortium.stop(worker) == 0 && consortium.stop(coordinator) == 0)
        #expect(log("c.log").contains("coordinator stopped") && log("w.log").contains("worker stopped"))
        #expect(!log("c.log.1").contains("coordinator stopped"))
        // Nothing was written to standard error.
        #expect(consortium.log("coordinator").isEmpty && consortium.log("worker").isEmpty)
    }

    @Test func aLogOnAFullDiskSaysHowManyLinesItLost() throws {
        let consortium = try Consortium(sites: 1)
        let disk = try SmallDisk(at: consortium.path("logs"), bytes: 1 << 20, scratch: directory)
        defer { disk.unmount() }
        func log() -> String {
            (try? consortium.directory.read("logs/c.log")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let coordinator = try consortium.start(
            "coordinator",
            [
                "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"), "--log-file",
                consortium.path("logs/c.log"),
            ]
        )
        #expect(consortium.wait { log().contains("listening") })
        disk.fill()
        // Each is one line, and the last page of the file has room for some of them.
        for _ in 0..<100 {
            kill(coordinator.processIdentifier, SIGHUP)
            usleep(10_000)
        }
        #expect(coordinator.isRunning)
        #expect(try consortium.status()["consortium"] != nil)
        disk.empty()
        kill(coordinator.processIdentifier, SIGHUP)
        #expect(consortium.wait(seconds: 20) { log().contains("log lines were lost") }, "\(log().suffix(1500))")
        #expect(log().contains("reason=\"no space left on device\""), "\(log().suffix(1500))")
        #expect(log().split(separator: "\n").allSatisfy { $0.hasPrefix("20") }, "\(log().suffix(1500))")
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aServiceThatCannotStartSaysSoInItsLogFileToo() throws {
        let outcome = try bash("$KUMIAI worker run --config missing.toml --log-file w.log")
        #expect(outcome.status == 6 && outcome.error.contains("missing.toml"), "\(outcome.error)")
        let log = String(decoding: try directory.read("w.log"), as: UTF8.self)
        #expect(log.contains("the service ended") && log.contains("missing.toml"), "\(log)")
    }

    @Test func nothingLeavesTheSiteThatIsNotOnRecord() throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        // A directory in place of the record's file.
        let record = consortium.path("acme-osaka/data/sent.jsonl")
        try FileManager.default.createDirectory(atPath: record, withIntermediateDirectories: true)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        let log = { consortium.log("acme-osaka") }
        try #require(
            consortium.wait {
                log().contains("the record of what leaves this site cannot be written, and nothing is sent")
            },
            "\(log().suffix(1500))"
        )
        #expect(!log().contains("update accepted"))
        #expect(
            consortium.wait {
                (try? consortium.kumiai(["coordinator", "status"] + consortium.operatorConfig).output.contains(
                    "the record of what leaves"
                )) == true
            }
        )
        try FileManager.default.removeItem(atPath: record)
        try #require(consortium.waitForEnd(), "\(log().suffix(1500))")
        worker.waitUntilExit()
        #expect(
            String(decoding: try consortium.directory.read("acme-osaka/data/sent.jsonl"), as: UTF8.self).contains(
                "\"round\": 1"
            )
        )
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aDemoThatIsStoppedLeavesNoServiceBehind() throws {
        let demo = directory.file("demo")
        let process = try Shell.start(
            [
                Shell.kumiai, "demo", "--policy", "state", "--sites", "2", "--rounds", "500", "--directory", demo,
                "--examples",
                Repository.path("Examples/metaworld"),
            ],
            output: directory.file("out"),
            error: directory.file("err")
        )
        let end = Date().addingTimeInterval(60)
        func coordinatorLog() -> String {
            (try? String(contentsOfFile: demo + "/logs/coordinator.log", encoding: .utf8)) ?? ""
        }
        while Date() < end, !coordinatorLog().contains("site connected") { usleep(50_000) }
        #expect(coordinatorLog().contains("site connected"))
        kill(process.processIdentifier, SIGHUP)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1)
        #expect(String(decoding: try directory.read("err"), as: UTF8.self).contains("the demo was stopped"))
        // A reader of demonstrations may need a moment.
        let deadline = Date().addingTimeInterval(20)
        while Date() < deadline, try !processes(naming: demo).isEmpty { usleep(100_000) }
        #expect(try processes(naming: demo).isEmpty)
    }

    /// The processes whose command line contains a text.
    private func processes(naming text: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            return String(decoding: line, as: UTF8.self).contains(text)
        }
    }

    // MARK: JSON

    @Test func errorsAreJSONWhereJSONIsExpected() throws {
        func error(_ outcome: Shell.Outcome) throws -> [String: Any] {
            try #require(try object(outcome)["error"] as? [String: Any])
        }
        let missing = try bash("$KUMIAI campaign status --json --config missing.toml")
        #expect(
            try error(missing)["code"] as? String == "configuration" && error(missing)["exit"] as? Int == 6
                && missing.status == 6
        )
        #expect(
            try #require(error(missing)["message"] as? String).contains("missing.toml")
                && error(missing)["hint"] is String
        )
        #expect(missing.error.contains("kumiai: error: ") && missing.error.contains("missing.toml"))
        let usage = try bash("$KUMIAI demo --json --rouns 3")
        #expect(
            try error(usage)["code"] as? String == "usage" && error(usage)["exit"] as? Int == 64 && usage.status == 64
        )
        #expect(try #require(error(usage)["message"] as? String).contains("--rouns"))
        // No coordinator runs.
        let consortium = try Consortium(sites: 1)
        let unreachable = try consortium.attempt(["coordinator", "status", "--json"] + consortium.operatorConfig)
        #expect(
            try error(unreachable)["code"] as? String == "unreachable" && error(unreachable)["exit"] as? Int == 4
                && unreachable.status == 4
        )
        // Without --json, nothing is on standard output.
        #expect(try bash("$KUMIAI campaign status --config missing.toml").output.isEmpty)
    }

    @Test func commandsThatMakeThingsSayInJSONWhatTheyMade() throws {
        func made(_ command: String, _ keys: String...) throws -> [String: Any] {
            let outcome = try bash("$KUMIAI \(command) --json")
            #expect(outcome.status == 0, "\(command): \(outcome.error)")
            let object = try object(outcome)
            for key in keys { #expect(object[key] != nil, "\(command): \(object)") }
            return object
        }
        let authority = try made(
            "pki ca --consortium test.kumiai.example --out pki",
            "consortium",
            "certificate",
            "key",
            "not_after"
        )
        #expect(authority["certificate"] as? String == "pki/ca.pem")
        _ = try made(
            "pki issue coordinator/main --ca pki --out coordinator",
            "identity",
            "certificate",
            "key",
            "not_after"
        )
        _ = try made("pki request member/acme/site/osaka --out osaka", "identity", "key", "request")
        let issued = try made(
            "pki issue member/acme/site/osaka --ca pki --request osaka/request.pem --out osaka",
            "identity",
            "certificate",
            "not_after"
        )
        #expect(issued["key"] == nil)
        let base = Repository.example("base/state.safetensors")
        let founded = try made(
            "coordinator init coordinator --base-model \(base) --name FY2026",
            "consortium",
            "configuration",
            "name",
            "model",
            "bytes"
        )
        #expect(founded["name"] as? String == "FY2026" && (founded["model"] as? String)?.count == 64)
        _ = try made(
            "worker init osaka --coordinator 127.0.0.1:7443 --demonstrations d.hdf5",
            "configuration",
            "demonstrations"
        )
        let plan = try made(
            "campaign init alice --coordinator 127.0.0.1:7443 --base FY2026 --release FY2027 --site acme/osaka",
            "campaign",
            "plan",
            "configuration"
        )
        #expect(plan["campaign"] as? String == "FY2026-FY2027")
        #expect(try object(bash("$KUMIAI policy init --json"))["type"] as? String != nil)
    }

    // MARK: What is said

    @Test func noControlCharacterOfAFileReachesTheTerminal() throws {
        let outcome = try bash("$KUMIAI policy show $'model\\e[2J\\nkumiai: hint: run this'")
        #expect(
            outcome.status != 0 && outcome.error.contains("\\u{1b}[2J\\nkumiai: hint: run this"),
            "\(outcome.error)"
        )
        #expect(
            !outcome.error.contains("\u{1b}") && !outcome.error.contains("\nkumiai: hint: run this"),
            "\(outcome.error)"
        )
    }

    @Test(arguments: ["http://coordinator.example:7443", "https://coordinator.example:7443/path"])
    func aWebAddressIsToldFromAHostAndAPort(address: String) throws {
        let outcome = try bash("$KUMIAI worker init osaka --coordinator \(address) --demonstrations d.hdf5")
        #expect(
            outcome.status == 6 && outcome.error.contains("is the web address")
                && outcome.error.contains("example coordinator.example:7443"),
            "\(outcome.error)"
        )
        #expect(!FileManager.default.fileExists(atPath: directory.file("osaka")))
    }

    @Test func anAddressInUseIsNamedByTheCoordinatorThatWantsIt() throws {
        let consortium = try Consortium(sites: 1)
        let listener = try listen(on: consortium.port)
        defer { close(listener) }
        let outcome = try consortium.attempt([
            "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"),
        ])
        #expect(
            outcome.status == 1
                && outcome.error.contains("cannot listen on 127.0.0.1:\(consortium.port): address already in use"),
            "\(outcome.error)"
        )
        #expect(outcome.error.contains("kumiai: hint: another program listens there"), "\(outcome.error)")
    }

    /// A socket that listens on a port of 127.0.0.1 and accepts nothing.
    private func listen(on port: Int) throws -> Int32 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(port).bigEndian
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        try #require(isBound && Glibc.listen(listener, 8) == 0)
        return listener
    }

    @Test func aConnectionThatIsClosedAtOnceIsExit4() throws {
        let consortium = try Consortium(sites: 1)
        let listener = try listen(on: consortium.port)
        let accepting = Thread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                close(connection)
            }
        }
        accepting.start()
        let outcome = try consortium.attempt(["coordinator", "status"] + consortium.operatorConfig)
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        #expect(outcome.status == 4 && outcome.error.contains("kumiai: hint:"), "\(outcome.status) \(outcome.error)")
    }
}
