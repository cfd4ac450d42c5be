import Federation
import Foundation
import TestKit
import Testing

@testable import KumiaiCommands
@testable import Worker

/// How `worker status` interprets a status file and this machine's processes.
@Suite(.serialized) struct WorkerStatusTests {
    private static let now = Timestamp(milliseconds: 1_000_000_000)

    private func status(connected: Bool = true, trouble: String? = nil, at time: Timestamp = now) -> WorkerStatus {
        WorkerStatus(
            site: "acme/osaka",
            connected: connected,
            heartbeat: Heartbeat(),
            receipts: 0,
            heardAt: nil,
            trouble: trouble,
            at: time
        )
    }

    @Test func processesOfThisMachineAreTold() throws {
        let own = ProcessSighting(of: Int(getpid()))
        #expect(own.exists && own.identity != nil)
        // Process 1 belongs to another user, unless root runs the tests.
        #expect(ProcessSighting(of: 1).exists)
        for pid in [0, -1, Int.max, Int.min] { #expect(!ProcessSighting(of: pid).exists) }
        let sleeper = try Shell.start(["sleep", "60"], output: "/dev/null", error: "/dev/null")
        let other = ProcessSighting(of: Int(sleeper.processIdentifier))
        #expect(other.exists && other.identity != nil && other.identity != own.identity)
        sleeper.terminate()
        sleeper.waitUntilExit()
        #expect(!ProcessSighting(of: Int(sleeper.processIdentifier)).exists)
    }

    @Test func aWorkerIsToldFromAProcessThatGotItsNumber() {
        let status = status()
        #expect(status.liveness == .running)
        #expect(status.liveness(seeing: ProcessSighting(exists: true, identity: status.process)) == .running)
        #expect(status.liveness(seeing: ProcessSighting(exists: true, identity: "another")) == .stopped)
        #expect(status.liveness(seeing: ProcessSighting(exists: false, identity: nil)) == .stopped)
        // Another user's process, on a system that hides it.
        #expect(status.liveness(seeing: ProcessSighting(exists: true, identity: nil)) == .unknown)
    }

    @Test func eachStateHasItsExitCode() {
        func code(_ status: WorkerStatus, _ liveness: WorkerStatus.Liveness) -> Int32? {
            WorkerHealth(status, liveness, now: Self.now).exitCode?.rawValue
        }
        #expect(code(status(), .running) == nil)
        #expect(code(status(connected: false, trouble: "no route"), .running) == 4)
        #expect(code(status(), .stopped) == 7)
        #expect(code(status(trouble: "training failed"), .running) == 8)
        #expect(code(status(at: Timestamp(milliseconds: Self.now.milliseconds - 61_000)), .running) == 8)
        #expect(code(status(at: Timestamp(milliseconds: Self.now.milliseconds - 61_000)), .stopped) == 7)
        #expect(code(status(), .unknown) == 9)
    }

    @Test func aSiteWhoseTrainingFailsIsSaidToWaitAndNotToFetch() throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        try consortium.edit(
            "acme-osaka/worker.toml",
            Repository.example("sites/window-open.hdf5"),
            Repository.path("Tests/DemonstrationsTests/Aloha")
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        #expect(
            try consortium.wait {
                let outcome = try consortium.attempt(["campaign", "status"] + consortium.operatorConfig)
                return outcome.output.contains("waits to try again")
                    && outcome.output.contains("acme/osaka says: training failed")
            },
            "\(consortium.log("acme-osaka"))"
        )
        let command = ["worker", "status", "--config", consortium.path("acme-osaka/worker.toml")]
        #expect(
            try consortium.wait {
                let status = try consortium.attempt(command)
                return status.status == 8 && status.output.contains("waiting, round 1\n")
                    && status.output.contains("trouble:  training failed: ")
            },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(consortium.stop(worker) == 0 && consortium.stop(coordinator) == 0)
    }

    @Test func aStatusOfAnEarlierVersionIsRead() throws {
        let directory = try TemporaryDirectory()
        let text = """
            {"pid":\(getpid()),"site":"acme/osaka","connected":true,"activity":"idle","round":0,"progress":0,"localLoss":0,"bytesUp":0,\
            "bytesDown":0,"receipts":3,"atMilliseconds":1}
            """
        try directory.write("status.json", Array(text.utf8))
        let status = try #require(try WorkerStatus.read(from: directory.path))
        #expect(status.process == nil && status.receipts == 3 && status.liveness == .running)
        try directory.write("status.json", [0x7B])
        #expect(throws: WorkerError.self) { try WorkerStatus.read(from: directory.path) }
        #expect(try WorkerStatus.read(from: directory.file("nowhere")) == nil)
    }

    @Test func aStoppedWorkerWhoseNumberAnotherProcessHasDoesNotRun() throws {
        let consortium = try Consortium(sites: 1)
        let command = ["worker", "status", "--config", consortium.path("acme-osaka/worker.toml")]
        #expect(try consortium.attempt(command).status == 6)
        let worker = try consortium.startWorker(0)
        // There is no coordinator.
        #expect(try consortium.wait { try consortium.attempt(command).status == 4 })
        #expect(consortium.stop(worker) == 0)
        let stopped = try consortium.attempt(command)
        #expect(stopped.status == 7 && stopped.output.contains("not running"), "\(stopped)")
        // The number of a running process: this one.
        try consortium.edit("acme-osaka/data/status.json", "\"pid\":\(worker.processIdentifier)", "\"pid\":\(getpid())")
        let reused = try consortium.attempt(command + ["--json"])
        let report = try JSONSerialization.jsonObject(with: Data(reused.output.utf8)) as? [String: Any]
        #expect(
            reused.status == 7 && report?["running"] as? Bool == false && report?["state"] as? String == "stopped",
            "\(reused)"
        )
        #expect((report?["status"] as? [String: Any])?["pid"] as? Int == Int(getpid()))
    }
}
