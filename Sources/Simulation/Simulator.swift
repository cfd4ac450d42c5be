import Dispatch
import Synchronization

/// Runs seeds: each simulates years of a consortium with all kinds of faults in a few seconds.
package struct Simulator: Sendable {
    private let fixture: SimulationFixture

    package init() throws { fixture = try SimulationFixture.make() }

    /// Runs one seed.
    ///
    /// - Parameter log: Called with a description of each event.
    package func run(seed: UInt64, mistake: Mistake? = nil, log: ((String) -> Void)? = nil) -> SimulationRun {
        do {
            let world = try World(seed: seed, fixture: fixture, mistake: mistake)
            world.log = log
            let failure = world.run()
            return SimulationRun(
                seed: seed,
                failure: failure?.message,
                milliseconds: world.now,
                steps: world.steps,
                counts: world.counts,
                fingerprint: world.fingerprint
            )
        } catch {
            return SimulationRun(
                seed: seed,
                failure: "the world could not be made: \(error)",
                milliseconds: 0,
                steps: 0,
                counts: [:],
                fingerprint: 0
            )
        }
    }

    /// Runs `seeds` on `threads` threads; failures are sorted by seed.
    ///
    /// - Parameter progress: Called with the number of finished seeds.
    package func run(
        seeds: Range<UInt64>,
        mistake: Mistake? = nil,
        threads: Int,
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) -> Summary {
        let state = Mutex((next: seeds.lowerBound, summary: Summary()))
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let seed = state.withLock { state -> UInt64? in
                    guard state.next < seeds.upperBound else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }
                guard let seed else { return }
                let run = run(seed: seed, mistake: mistake)
                progress(
                    state.withLock {
                        $0.summary.add(run)
                        return $0.summary.runs
                    }
                )
            }
        }
        return state.withLock { $0.summary.sorted }
    }
}

/// The result of one seed.
package struct SimulationRun: Sendable {
    package let seed: UInt64
    /// What a checker found; `nil` if every check passed.
    package let failure: String?
    /// The simulated time.
    package let milliseconds: UInt64
    package let steps: Int
    package let counts: [String: Int]
    /// The same in every run of the seed.
    package let fingerprint: UInt64
}

/// The results of many seeds.
package struct Summary: Sendable {
    package private(set) var runs = 0
    package private(set) var hours = 0.0
    package private(set) var steps = 0
    package private(set) var counts: [String: Int] = [:]
    package private(set) var failures: [SimulationRun] = []

    mutating func add(_ run: SimulationRun) {
        runs += 1
        hours += Double(run.milliseconds) / 3_600_000
        steps += run.steps
        counts.merge(run.counts, uniquingKeysWith: +)
        if run.failure != nil { failures.append(run) }
    }

    var sorted: Summary {
        var copy = self
        copy.failures.sort { $0.seed < $1.seed }
        return copy
    }

    package func count(_ what: String) -> Int { counts[what] ?? 0 }
    package var crashes: Int { count("kills") + count("power failures") }

    /// The summary on one line, for display.
    package var text: String {
        "\(runs) seeds, \(Int(hours)) simulated hours, \(crashes) crashes (\(count("power failures")) of them "
            + "power failures), \(count("faults")) faults, "
            + "\(count("lies")) lies, \(count("rounds committed")) rounds committed, \(failures.count) failures"
    }
}
