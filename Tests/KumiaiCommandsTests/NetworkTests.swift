import Foundation
import TestKit
import Testing
import Transport
import Worker

/// Networks as in factories.
@Suite(.serialized) struct NetworkTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// 256 MB over a slow link that is silent for 30 s, then cut for 30 s, while the coordinator is killed once.
    @Test func aLargeUpdateGetsThroughASlowLinkWithCuts() async throws {
        let bytes = 256 << 20
        let consortium = try Consortium(
            sites: 1,
            rounds: 1,
            baseModel: try Consortium.model(bytes: bytes, in: directory)
        )
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let link = FaultyLink(to: consortium.port, bytesPerSecond: 40e6, latency: 0.02)
        defer { link.close() }
        let site = try SyntheticSite(consortium.workerConfiguration(0, port: link.port))
        site.start()
        let watch = Heartbeats(consortium)
        func wait(upTo fraction: Double) {
            _ = consortium.wait(seconds: 90) { Double(link.bytesUp) >= fraction * Double(bytes) }
        }
        wait(upTo: 0.25)
        #expect(watch.longestSilence() < 6, "a heartbeat was starved by a transfer")
        link.setSilent(true)
        try await Task.sleep(for: .seconds(30))
        link.setSilent(false)
        wait(upTo: 0.5)
        // A killed coordinator resumes at the last byte that it wrote.
        kill(coordinator.processIdentifier, SIGKILL)
        coordinator.waitUntilExit()
        let partial = consortium.data + "/blobs/incoming/acme/osaka/partial"
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: partial).first { $0.count == 64 })
        let kept = try #require(FileManager.default.attributesOfItem(atPath: "\(partial)/\(name)")[.size] as? Int)
        coordinator = try consortium.startCoordinator()
        #expect(consortium.wait(seconds: 60) { site.log.contains("at_byte=\(kept)") }, "\(site.log.all)")
        wait(upTo: 0.75)
        let before = link.bytesUp
        link.setSilent(true)
        link.cut()
        try await Task.sleep(for: .seconds(30))
        link.setSilent(false)
        #expect(link.bytesUp - before < 1 << 20)
        #expect(consortium.waitForEnd(seconds: 120), "\(site.log.all.suffix(5))")
        #expect(consortium.campaign["updates_accepted"] as? Int == 1)
        await site.stop()
        // Bytes on the wire: a broken link repeats at most one chunk; a killed process loses what it had not read from
        // its socket, which is at most its buffers. TLS adds 22 bytes to 16 KiB.
        let repeated = link.bytesUp - bytes - bytes / 500
        print(
            """
            network: \(link.bytesUp) bytes up for an update of \(bytes), \(max(0, repeated)) repeated, \
            \(link.accepted) connections
            """
        )
        #expect(repeated < 2 * 262_144 + 8 << 20)
        #expect(try consortium.finish(coordinator).status == 0)
    }

    /// On a link that only breaks, no more than one chunk is sent twice.
    @Test func aBrokenLinkRepeatsAtMostAChunk() async throws {
        let bytes = 64 << 20
        let consortium = try Consortium(
            sites: 1,
            rounds: 1,
            baseModel: try Consortium.model(bytes: bytes, in: directory)
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let link = FaultyLink(to: consortium.port, bytesPerSecond: 20e6)
        defer { link.close() }
        let site = try SyntheticSite(consortium.workerConfiguration(0, port: link.port))
        site.start()
        var cuts = 0
        for fraction in [0.2, 0.4, 0.6, 0.8] {
            #expect(consortium.wait(seconds: 60) { Double(link.bytesUp) >= fraction * Double(bytes) })
            link.cut()
            cuts += 1
        }
        #expect(consortium.waitForEnd(seconds: 90), "\(site.log.all.suffix(5))")
        await site.stop()
        let repeated = link.bytesUp - bytes - bytes / 500
        print("network: \(max(0, repeated)) bytes repeated in \(cuts) cuts")
        #expect(repeated <= cuts * (262_144 + 16_384) + 65_536)
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func aSiteThatReadsAByteASecondAndAThousandIdleConnectionsHarmNobody() async throws {
        let consortium = try Consortium(
            sites: 2,
            rounds: 2,
            quorum: 1,
            baseModel: try Consortium.model(bytes: 8 << 20, in: directory)
        )
        try consortium.edit("operator/plan.toml", "deadline_seconds = 3600", "deadline_seconds = 6")
        try consortium.edit("operator/plan.toml", "recruiting_seconds = 30", "recruiting_seconds = 2")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let link = FaultyLink(to: consortium.port, bytesPerSecond: 1e6)
        defer { link.close() }
        let slow = try SyntheticSite(consortium.workerConfiguration(1, port: link.port))
        slow.start()
        #expect(consortium.wait { slow.log.contains("connected") })
        let good = try SyntheticSite(consortium.workerConfiguration(0))
        good.start()
        #expect(consortium.wait { link.bytesDown > 200_000 })
        link.setRate(1)
        let idle = (0..<1000).map { _ in Shell.connect(to: consortium.port) }
        #expect(idle.allSatisfy { $0 >= 0 })
        let asked = Date()
        #expect(try consortium.status()["consortium"] as? String == "test.kumiai.example")
        #expect(Date().timeIntervalSince(asked) < 5)
        #expect(consortium.waitForEnd(seconds: 60), "\(consortium.log("coordinator").suffix(2000))")
        #expect(consortium.campaign["phase"] as? String == "completed")
        for descriptor in idle { close(descriptor) }
        await good.stop()
        await slow.stop()
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func oneCertificateCannotTakeAllConnections() async throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        let crowd = try consortium.operatorDialer()
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    do {
                        try await crowd.withConnection(.control, software: "test") { _ in
                            try await Task.sleep(for: .seconds(2))
                        }
                        return false
                    } catch {
                        return "\(error)".contains("connections open, the limit for one certificate")
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused == 4)
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aProxyOfTheFactoryIsGoneThrough() throws {
        let consortium = try Consortium(sites: 1, rounds: 2)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let proxyPort = Shell.freePort()
        let configuration = """
            Port \(proxyPort)
            Listen 127.0.0.1
            Timeout 600
            LogFile "\(consortium.path("tinyproxy.log"))"
            LogLevel Info
            MaxClients 20
            BasicAuth osaka secret
            ConnectPort \(consortium.port)
            """
        try directory.write("tinyproxy.conf", Array(configuration.utf8))
        let proxy = try Shell.start(
            ["tinyproxy", "-d", "-c", directory.file("tinyproxy.conf")],
            output: "/dev/null",
            error: "/dev/null"
        )
        defer {
            // On SIGTERM it would wait for its clients.
            kill(proxy.processIdentifier, SIGKILL)
            proxy.waitUntilExit()
        }
        try consortium.edit(
            "acme-osaka/worker.toml",
            "proxy = \"\"",
            "proxy = \"http://osaka:wrong@127.0.0.1:\(proxyPort)\""
        )
        let wrong = try consortium.startWorker(0)
        #expect(
            consortium.wait {
                consortium.log("acme-osaka").contains("401") || consortium.log("acme-osaka").contains("407")
            },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(consortium.stop(wrong) == 0)
        try consortium.edit("acme-osaka/worker.toml", "osaka:wrong", "osaka:secret")
        let worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(consortium.log("acme-osaka"))")
        worker.waitUntilExit()
        #expect(worker.terminationStatus == 0)
        let log = String(decoding: try consortium.directory.read("tinyproxy.log"), as: UTF8.self)
        #expect(log.contains("CONNECT 127.0.0.1:\(consortium.port)"), "\(log)")
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func transfersKeepToTheirHoursAndTheirBandwidth() async throws {
        let bytes = 4 << 20
        let consortium = try Consortium(
            sites: 1,
            rounds: 1,
            baseModel: try Consortium.model(bytes: bytes, in: directory)
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        var configuration = consortium.workerConfiguration(0)
        let now = Date()
        let minute = Calendar.current.component(.hour, from: now) * 60 + Calendar.current.component(.minute, from: now)
        func clock(_ minute: Int) -> String { String(format: "%02d:%02d", minute / 60 % 24, minute % 60) }
        // The next upload window opens in some hours.
        configuration.upload = TransferPolicy(hours: DailyHours("\(clock(minute + 300))-\(clock(minute + 360))"))
        configuration.download = TransferPolicy(megabitsPerSecond: 16)
        let waiting = try SyntheticSite(configuration)
        let began = Date()
        waiting.start()
        #expect(consortium.wait { consortium.siteActivity == "paused" }, "\(waiting.log.all)")
        // 4 MiB at 16 Mbit/s take two seconds, less the first chunk.
        #expect(Date().timeIntervalSince(began) > 1.8)
        await waiting.stop()
        #expect(consortium.campaign["updates_accepted"] as? Int == 0)
        configuration.upload = TransferPolicy(
            hours: DailyHours("\(clock(minute + 1380))-\(clock(minute + 60))"),
            megabitsPerSecond: 16
        )
        let allowed = try SyntheticSite(configuration)
        let uploading = Date()
        allowed.start()
        #expect(consortium.waitForEnd())
        #expect(Date().timeIntervalSince(uploading) > 1.8)
        await allowed.stop()
        #expect(try consortium.finish(coordinator).status == 0)
    }
}

/// Asks the coordinator how long a site has been silent.
struct Heartbeats {
    let consortium: Consortium
    init(_ consortium: Consortium) { self.consortium = consortium }

    /// In seconds, over several requests.
    func longestSilence() -> Double {
        var longest = 0.0
        for _ in 0..<5 {
            guard let status = try? consortium.status(), let now = status["time_ms"] as? Double,
                let site = (status["sites"] as? [[String: Any]])?.first, let seen = site["last_seen_ms"] as? Double
            else { return .infinity }
            longest = max(longest, (now - seen) / 1000)
            usleep(200_000)
        }
        return longest
    }
}
