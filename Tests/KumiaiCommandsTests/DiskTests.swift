import Foundation
import TestKit
import Testing

/// Real disks that are full, and damaged bytes on them.
@Suite(.serialized) struct DiskTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: ["coordinator", "acme-osaka"])
    func aFullDiskIsSaidClearlyAndTheRoundGoesOnWhenThereIsRoom(victim: String) throws {
        let consortium = try Consortium(sites: 1, rounds: 4, localSteps: 2)
        let disk = try SmallDisk(at: consortium.path("\(victim)/data"), bytes: 48 << 20, scratch: directory)
        defer { disk.unmount() }
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        disk.fill()
        let worker = try consortium.startWorker(0)
        let name = victim == "coordinator" ? "coordinator" : "acme-osaka"
        #expect(
            consortium.wait(seconds: 40) { ["full", "No space left"].contains { consortium.log(name).contains($0) } },
            "\(consortium.log(name).suffix(1500))"
        )
        #expect(consortium.campaign["phase"] as? String != "completed")
        #expect(coordinator.isRunning && worker.isRunning)
        disk.empty()
        try #require(
            consortium.waitForEnd(seconds: 120),
            "\(consortium.log("coordinator").suffix(1500)) \(consortium.log("acme-osaka").suffix(1500))"
        )
        worker.waitUntilExit()
        #expect(consortium.campaign["phase"] as? String == "completed")
        #expect(try consortium.finish(coordinator).status == 0)
    }

    /// A disk that fills up while a site trains: the worker cannot replace its status file any more, but still reports
    /// its status.
    @Test func aTrainedUpdateThatWaitsForRoomIsShownOnBothSides() throws {
        let consortium = try Consortium(sites: 1, rounds: 1, localSteps: 200)
        let disk = try SmallDisk(at: consortium.path("acme-osaka/data"), bytes: 48 << 20, scratch: directory)
        defer { disk.unmount() }
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        try #require(consortium.wait { consortium.siteActivity == "training" })
        disk.fill()
        func problem() -> String {
            ((try? consortium.status())?["sites"] as? [[String: Any]])?.first?["trouble"] as? String ?? ""
        }
        #expect(
            consortium.wait(seconds: 60) { problem().contains("the update waits for free space") },
            "\(consortium.log("acme-osaka").suffix(1500))"
        )
        let ask = ["worker", "status", "--config", consortium.path("acme-osaka/worker.toml")]
        #expect(
            consortium.wait {
                (try? consortium.attempt(ask))?.output.contains("the update waits for free space") == true
            }
        )
        #expect(try consortium.attempt(ask).status == 8)
        disk.empty()
        try #require(consortium.waitForEnd(seconds: 120), "\(consortium.log("acme-osaka").suffix(1500))")
        worker.waitUntilExit()
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func aDamagedUpdateIsFoundBeforeItIsSummedAndAskedForAgain() throws {
        let consortium = try Consortium(sites: 2, rounds: 1, localSteps: 400, quorum: 2)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let first = try consortium.startWorker(0)
        let second = try consortium.startWorker(1)
        // Stopped in the middle of its training, so that there is time to damage what the first site has sent.
        #expect(consortium.wait { consortium.log("bolt-turin").contains("training") })
        kill(second.processIdentifier, SIGSTOP)
        defer { kill(second.processIdentifier, SIGCONT) }
        #expect(consortium.wait { consortium.campaign["updates_in_round"] as? Int == 1 })
        let update = try #require(try acceptedUpdate(consortium))
        var bytes = try Data(contentsOf: URL(fileURLWithPath: update))
        bytes[bytes.count / 2] ^= 4
        try bytes.write(to: URL(fileURLWithPath: update))
        kill(second.processIdentifier, SIGCONT)
        try #require(consortium.waitForEnd(seconds: 120), "\(consortium.log("coordinator").suffix(1500))")
        for worker in [first, second] { worker.waitUntilExit() }
        #expect(consortium.campaign["phase"] as? String == "completed")
        #expect(consortium.log("coordinator").contains("updates were lost"))
        #expect(consortium.campaign["updates_accepted"] as? Int == 3)
        #expect(try consortium.finish(coordinator).status == 0)
        try consortium.kumiai("audit", "replay", "1", consortium.data, "--ca", consortium.authority)
    }

    /// The path of the accepted update: the blob that is not the base model.
    private func acceptedUpdate(_ consortium: Consortium) throws -> String? {
        let objects = consortium.data + "/blobs/objects"
        let base = try Shell.run(["sha256sum", Repository.example("base/state.safetensors")]).output.prefix(64)
        return FileManager.default.enumerator(atPath: objects)?.compactMap { $0 as? String }.first {
            $0.count > 60 && !$0.hasSuffix(base)
        }.map {
            "\(objects)/\($0)"
        }
    }

    @Test func updatesArePrunedWhenTheirTimeHasComeAndTheAuditSaysSo() throws {
        let consortium = try Consortium(sites: 1, rounds: 3)
        try consortium.edit("operator/plan.toml", "retention_seconds = 0", "retention_seconds = 3")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd())
        worker.waitUntilExit()
        sleep(4)
        let prune = ["coordinator", "prune", "--json"] + consortium.operatorConfig
        let preview = try consortium.kumiai(prune + ["--dry-run"])
        #expect(
            preview.output.contains("\"removed\" : false") && preview.output.contains("\"rounds\" : 3"),
            "\(preview.output)"
        )
        let removal = try consortium.kumiai(prune)
        #expect(removal.output.contains("\"removed\" : true"), "\(removal.output)")
        // The base, the last model and its server state are kept.
        let left =
            FileManager.default.enumerator(atPath: consortium.data + "/blobs/objects")?.compactMap { $0 as? String }
            .filter { $0.count > 60 } ?? []
        #expect(left.count == 3, "\(left)")
        #expect(try consortium.kumiai(prune).output.contains("\"rounds\" : 0"))
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0 && audit.output.contains("no longer replayable: 3 rounds"), "\(audit.output)")
        #expect(try consortium.kumiai("audit", "rounds", consortium.data).output.contains("pruned"))
        let replay = try consortium.attempt(["audit", "replay", "2", consortium.data, "--ca", consortium.authority])
        #expect(replay.status != 0 && replay.error.contains("retention"), "\(replay.error)")
        try consortium.kumiai(
            "release",
            "show",
            "\(consortium.data)/releases/FY2027",
            "--verify",
            "--ca",
            consortium.authority
        )
    }

    @Test func aWitnessShowsAHistoryThatWasRewritten() throws {
        // The same consortium twice: another history that is valid in itself.
        let consortium = try Consortium(sites: 1, rounds: 2)
        let founded = consortium.path("founded")
        try Shell.run(["cp", "-r", consortium.data, founded])
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        var worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd())
        worker.waitUntilExit()
        #expect(try consortium.finish(coordinator).status == 0)
        let verify = ["audit", "verify", consortium.data, "--ca", consortium.authority]
        let receipts = consortium.path("receipts")
        try Shell.run(["cp", "-r", consortium.path("acme-osaka/data/receipts"), receipts])
        #expect(try consortium.attempt(verify + ["--witness", receipts]).output.contains("2 witnesses"))
        try Shell.run(["rm", "-rf", consortium.data, consortium.path("acme-osaka/data")])
        try Shell.run(["mv", founded, consortium.data])
        coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd())
        worker.waitUntilExit()
        #expect(try consortium.finish(coordinator).status == 0)
        #expect(try consortium.attempt(verify).status == 0)
        let found = try consortium.attempt(verify + ["--witness", receipts])
        #expect(found.status == 3 && found.output.contains(".receipt"), "\(found.output)")
    }
}

/// Mounts a file system of a few megabytes over a directory and keeps the directory's content.
final class SmallDisk {
    private let path: String

    init(at path: String, bytes: Int, scratch: TemporaryDirectory) throws {
        self.path = path
        let copy = scratch.file("copy-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let script =
            "cp -a \(path) \(copy) && mount -t tmpfs -o size=\(bytes) tmpfs \(path) && cp -a \(copy)/. \(path)/"
        let outcome = try Shell.run((getuid() == 0 ? [] : ["sudo"]) + ["bash", "-c", script])
        guard outcome.status == 0 else { throw Consortium.CommandFailed(arguments: ["mount"], outcome: outcome) }
    }

    func fill() { _ = try? Shell.run(["bash", "-c", "head -c 1G /dev/zero > \(path)/filler 2>/dev/null; true"]) }
    func empty() { unlink(path + "/filler") }
    func unmount() { _ = try? Shell.run((getuid() == 0 ? [] : ["sudo"]) + ["umount", "-l", path]) }
}
