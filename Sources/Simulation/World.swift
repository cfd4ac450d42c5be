import Tensors
import Blobs
import Federation
import Identity

/// The world of one seed: a clock, a queue of events, and all participants. It never uses the real clock or a source of
/// real randomness, so a seed always runs in the same way.
final class World {
    let seed: UInt64
    let fixture: SimulationFixture
    let mistake: Mistake?
    var random: SeededGenerator
    let scenario: Scenario
    /// The simulated time since the start, in milliseconds.
    private(set) var now: UInt64 = 0
    private var queue = EventQueue()
    private(set) var steps = 0
    var coordinator: SimulatedCoordinator!
    var sites: [SimulatedSite] = []
    var checker: Checker!
    private(set) var simulatedOperator: SimulatedOperator!
    var counts: [String: Int] = [:]
    /// Sites that are cut off from the network, and until when.
    var partitions: [Int: UInt64] = [:]
    /// A hash of everything that has happened, which is the same in every run of a seed.
    private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
    var log: ((String) -> Void)?

    static let maximumSteps = 400_000

    init(seed: UInt64, fixture: SimulationFixture, mistake: Mistake?) throws {
        self.seed = seed
        self.fixture = fixture
        self.mistake = mistake
        var random = SeededGenerator(seed: seed &* 0x9e37_79b9 &+ 1)
        let model = TinyModel.file((0..<TinyModel.parameters).map { _ in Float.random(in: -1...1, using: &random) })
        scenario = Scenario(&random, model: TinyModel.reference(model), parameters: TinyModel.parameters)
        self.random = random
        checker = try Checker(self, base: model)
        simulatedOperator = SimulatedOperator(self)
        coordinator = try SimulatedCoordinator(self, model: model)
        sites = try (0..<scenario.sites).map { try SimulatedSite(self, $0) }
    }

    func timestamp(_ offset: Int64) -> Timestamp {
        Timestamp(milliseconds: UInt64(Int64(fixture.start.milliseconds + now) + offset))
    }

    func schedule(after milliseconds: Int, _ action: @escaping () -> Void) {
        queue.push(at: now + UInt64(max(0, milliseconds)), action)
    }

    func latency() -> Int { Int.random(in: scenario.latency, using: &random) }
    func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &random) < probability }

    func count(_ what: String) { counts[what, default: 0] += 1 }

    func trace(_ text: @autoclosure () -> String) {
        let text = text()
        for byte in text.utf8 { fingerprint = (fingerprint ^ UInt64(byte)) &* 0x100_0000_01b3 }
        fingerprint = (fingerprint ^ now) &* 0x100_0000_01b3
        log?("\(now) \(text)")
    }

    /// Runs until the campaign has ended and all participants know it, or until the checker finds a failure.
    func run() -> Failure? {
        coordinator.start()
        for site in sites { site.start() }
        FaultInjector(self).begin()
        while let next = queue.pop() {
            now = max(now, next.time)
            next.action()
            steps += 1
            stopFailedNodes()
            if let failure = checker.afterStep() { return failure }
            if checker.isOver { return checker.atTheEnd() }
            if steps > Self.maximumSteps || now > scenario.faultsEnd + Checker.timeLimit {
                return Failure(
                    """
                    the campaign does not end: \(coordinator.description); \
                    \(sites.map(\.description).joined(separator: "; "))
                    """
                )
            }
        }
        return Failure(
            """
            nothing is left to happen, and the campaign has not ended: \(coordinator.description); \
            \(sites.map(\.description).joined(separator: "; "))
            """
        )
    }

    /// Stops a node whose disk failed in the middle of an operation.
    private func stopFailedNodes() {
        if coordinator.node.disk.isDead { coordinator.crash(power: chance(0.5)) }
        for site in sites where site.node.disk.isDead { site.crash(power: chance(0.5)) }
    }
}

/// A check that failed.
package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String
    init(_ message: String) { self.message = message }
    package var description: String { message }
}

/// A machine: its disk, its clock, and the number of times it has been started.
final class Node {
    let disk = SimulatedDisk()
    var isUp = false
    var epoch = 0
    /// The error of its clock, in milliseconds.
    var clockOffset: Int64 = 0
}

/// Future events, earliest first; events at the same time keep the order in which they were scheduled.
struct EventQueue {
    struct Event {
        let time: UInt64
        let number: UInt64
        let action: () -> Void

        func isBefore(_ other: Event) -> Bool { (time, number) < (other.time, other.number) }
    }

    private var heap: [Event] = []
    private var planned: UInt64 = 0

    mutating func push(at time: UInt64, _ action: @escaping () -> Void) {
        planned += 1
        heap.append(Event(time: time, number: planned, action: action))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first
    }

    private mutating func sink() {
        var parent = 0
        while true {
            let left = 2 * parent + 1, right = left + 1
            var least = parent
            if left < heap.count, heap[left].isBefore(heap[least]) { least = left }
            if right < heap.count, heap[right].isBefore(heap[least]) { least = right }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
