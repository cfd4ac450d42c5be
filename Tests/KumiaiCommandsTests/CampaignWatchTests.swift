import Foundation
import TestKit
import Testing

/// `campaign status --watch` with real processes.
@Suite(.serialized) struct CampaignWatchTests {
    private struct Terminal: Decodable {
        let screen: [String]
        let scrolled: Int
        let unknown: Bool
        var text: String { screen.joined(separator: "\n") }
    }

    private func terminal(_ path: String) -> Terminal? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(Terminal.self, from: $0) }
    }

    private func stop(_ process: Process) {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }

    /// In a window that is too small for the table, before, during and after the coordinator's restart.
    @Test func watchingStaysInItsWindowAndOutlivesTheCoordinator() throws {
        let consortium = try Consortium(sites: 3, rounds: 1000)
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let state = consortium.path("terminal.json")
        let watch = try Shell.start(
            [
                "/usr/bin/python3", Repository.path("Tests/KumiaiCommandsTests/Python/terminal.py"), "6", "44", state,
                Shell.kumiai,
            ]
                + ["campaign", "status", "--watch"] + consortium.operatorConfig,
            output: consortium.path("watch.out"),
            error: consortium.path("watch.err")
        )
        defer { stop(watch) }
        try #require(
            consortium.wait { terminal(state)?.text.contains("0/1000 rounds") == true },
            "\(terminal(state)?.text ?? "nothing")"
        )
        // A frame may come in two pieces.
        usleep(1_500_000)
        let first = try #require(terminal(state))
        #expect(first.text.contains("1 more site, 0 connected") && !first.unknown)
        // Some redraws later, no line has left the window.
        usleep(3_500_000)
        #expect(terminal(state)?.scrolled == first.scrolled && first.scrolled <= 6)
        #expect(consortium.stop(coordinator) == 0)
        #expect(
            consortium.wait(seconds: 20) { terminal(state)?.text.contains("cannot be reached") == true },
            "\(terminal(state)?.text ?? "")"
        )
        #expect(watch.isRunning)
        coordinator = try consortium.startCoordinator()
        #expect(
            consortium.wait(seconds: 20) {
                terminal(state).map { !$0.text.contains("cannot be reached") && $0.text.contains("0/1000") } ?? false
            }
        )
        #expect(watch.isRunning && terminal(state)?.scrolled == first.scrolled)
        stop(watch)
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aPipeIsToldThatTheCoordinatorIsGoneAndThatItIsBack() throws {
        let consortium = try Consortium(sites: 1, rounds: 2, localSteps: 400)
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let watch = try Shell.start(
            [Shell.kumiai, "campaign", "status", "--watch"] + consortium.operatorConfig,
            output: consortium.path("watch.out"),
            error: consortium.path("watch.err")
        )
        defer { stop(watch) }
        func output() -> String { String(decoding: (try? consortium.directory.read("watch.out")) ?? [], as: UTF8.self) }
        func hasPrinted(_ text: String) -> Bool { consortium.wait(seconds: 20) { output().contains(text) } }
        #expect(hasPrinted("round 0/2 committed"))
        #expect(consortium.stop(coordinator) == 0)
        #expect(hasPrinted("cannot be reached, trying again"))
        coordinator = try consortium.startCoordinator()
        #expect(hasPrinted("the coordinator answers again"))
        let worker = try consortium.startWorker(0)
        watch.waitUntilExit()
        worker.waitUntilExit()
        #expect(watch.terminationStatus == 0 && output().contains("completed, 2 of 2 rounds committed"), "\(output())")
        for round in 1...2 { #expect(output().contains("round \(round)/2 committed"), "\(output())") }
        #expect(output().components(separatedBy: "trying again").count == 2, "\(output())")
        #expect(consortium.stop(coordinator) == 0)
    }
}
