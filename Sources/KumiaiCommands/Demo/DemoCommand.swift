import ArgumentParser
import Foundation

struct DemoCommand: Command {
    enum PolicyKind: String, ExpressibleByArgument, CaseIterable { case image, state }

    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a whole consortium on this machine and compare its model with the sites' own.",
        discussion: """
            Founds a consortium, makes its certificates, starts one coordinator and one worker per site as real \
            processes with mutual TLS over loopback, runs a campaign on real robot demonstrations, cuts a release, \
            and audits the ledger.

            Example:
              kumiai demo --sites 3 --rounds 20 --policy state
            """
    )

    @Option(help: "The seed for every site's training.")
    var seed: UInt32 = 0

    @Option(help: "Number of rounds of the campaign.")
    var rounds = 60

    @Option(help: "Number of factory sites, 2 to 6; each has its own task.")
    var sites = 5

    @Option(help: "The policy's input: a camera image, or the state of the robot and its object.")
    var policy: PolicyKind = .image

    @Option(
        help: ArgumentHelp("Where to put all files; must not exist yet.", valueName: "path"),
        completion: .directory
    )
    var directory = "kumiai-demo"

    @Option(
        help: ArgumentHelp("The sample data: Examples/metaworld of the repository.", valueName: "path"),
        completion: .directory
    )
    var examples: String?

    @OptionGroup var options: PlanOptions
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard (2...6).contains(sites) else { throw ValidationError("--sites: expected 2 to 6") }
        guard (1...10_000).contains(rounds) else { throw ValidationError("--rounds: expected 1 to 10000") }
    }

    func execute() async throws {
        // The services ignore SIGHUP, so the demo must stop them when its terminal is closed.
        let (stops, stop) = AsyncStream<Void>.makeStream()
        let signals = Signals(on: [SIGINT, SIGTERM, SIGHUP], stop: { stop.yield() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await demonstrate() }
            group.addTask {
                for await _ in stops { throw DemoStopped() }
                try Task.checkCancellation()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        withExtendedLifetime(signals) {}
    }

    private func demonstrate() async throws {
        let started = Date()
        let layout = try DemoLayout(
            directory: freeDirectory(),
            examples: try DemoData.locate(examples),
            policy: policy.rawValue,
            siteCount: sites
        )
        let output: LiveView.Output = json.isOn ? .standardError : .standardOutput
        let consortium = DemoConsortium(
            layout: layout,
            rounds: rounds,
            seed: Int(seed),
            options: options,
            output: output
        )
        let campaign = try await consortium.run()
        let comparison = try await DemoComparison(layout: layout, rounds: rounds, seed: UInt64(seed), output: output)
            .run()
        let audit = try DemoAudit(layout: layout).run()
        let report = DemoReport(
            policy: policy.rawValue,
            rounds: rounds,
            options: options,
            comparison: comparison,
            campaign: campaign,
            audit: audit,
            seconds: Date().timeIntervalSince(started)
        )
        if json.isOn { try report.printJSON() } else { report.show(layout) }
        guard audit.verified, audit.replayIdentical else { throw ExitStatus.tampered }
    }

    /// The directory to use: if the default `kumiai-demo` exists, `kumiai-demo-2` and so on.
    private func freeDirectory() throws -> String {
        let manager = FileManager.default
        if !manager.fileExists(atPath: directory) { return absolute(directory) }
        guard directory == "kumiai-demo" else {
            throw UsageError("\(directory) already exists", hint: "name a directory that does not exist")
        }
        return absolute((2...).lazy.map { "kumiai-demo-\($0)" }.first { !manager.fileExists(atPath: $0) }!)
    }

    private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).path }
}

/// Thrown if a signal stopped the demo.
private struct DemoStopped: Error, CustomStringConvertible {
    var description: String { "the demo was stopped before its end; its directory was not removed" }
}
