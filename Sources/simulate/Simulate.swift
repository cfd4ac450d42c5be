import ArgumentParser
import Foundation
import Simulation

/// Runs many seeds of the simulation: `make simulate SEEDS=100000`.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract:
            """
            Simulate a consortium with crashes, network failures, full disks and lies, and check that nothing \
            acknowledged is lost.
            """,
        discussion: """
            The coordinator's and the workers' real machines, ledger, stores and aggregation run over a simulated \
            clock, network and disk. A failure prints its seed; --seed runs it again in the same way, and \
            --verbose prints what happens.
            """
    )

    @Option(help: "How many seeds to run.")
    var seeds: UInt64 = 10_000

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "Run this seed only.")
    var seed: UInt64?

    @Option(help: "Threads.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Run with a deliberate mistake: \(Mistake.allCases.map(\.rawValue).joined(separator: ", ")).")
    var mistake: String?

    @Flag(help: "Print what happens.")
    var verbose = false

    func run() throws {
        let chosen = try mistake.map { name in
            guard let chosen = Mistake(rawValue: name) else { throw ValidationError("there is no mistake \(name)") }
            return chosen
        }
        let simulator = try Simulator()
        if let seed {
            let run = simulator.run(seed: seed, mistake: chosen, log: verbose ? { print($0) } : nil)
            print(
                """
                seed \(seed): \(run.failure ?? "everything held"), \(run.milliseconds / 1000) simulated seconds, \
                \(run.steps) steps
                """
            )
            print(run.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
            if run.failure != nil { throw ExitCode.failure }
            return
        }
        let isTerminal = isatty(STDERR_FILENO) == 1
        let (total, began) = (seeds, Date())
        let summary = simulator.run(seeds: first..<first + seeds, mistake: chosen, threads: threads) { done in
            guard isTerminal, done % 100 == 0 else { return }
            let left = Date().timeIntervalSince(began) / Double(done) * Double(total - UInt64(done))
            FileHandle.standardError.write(Data("\r\(done) of \(total) seeds, \(Int(left)) s left ".utf8))
        }
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        print(summary.text)
        print(summary.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
        for failure in summary.failures.prefix(10) { print("seed \(failure.seed): \(failure.failure ?? "")") }
        if !summary.failures.isEmpty { throw ExitCode.failure }
    }
}
