import Federation
import Protocol

/// A site's control connection as the coordinator's shell sees it: a queue of what the site should hear.
///
/// The connection's own task drains it, so that a slow site holds nobody up.
final class SiteLink: Sendable {
    struct Instruction: Sendable {
        let assignment: Assignment
        /// The entry that says why the site is asked again.
        let proof: UInt64?
    }

    let id: LinkID
    let instructions: AsyncStream<Instruction>
    private let queue: AsyncStream<Instruction>.Continuation

    init(_ id: LinkID) {
        self.id = id
        // Only the newest counts.
        (instructions, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4))
    }

    func send(_ assignment: Assignment, provedBy proof: UInt64?) {
        queue.yield(Instruction(assignment: assignment, proof: proof))
    }
    /// Ends the connection's task.
    func close() { queue.finish() }
}
