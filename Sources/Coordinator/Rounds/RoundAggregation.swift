import Blobs
import Federation
import Transport
import Verification

/// Computes a round's result from blobs and stores it as blobs.
package struct RoundAggregation: Sendable {
    let blobs: BlobStore
    let threads: Int

    package init(blobs: BlobStore, threads: Int) {
        self.blobs = blobs
        self.threads = threads
    }

    /// The outcome of an attempt to compute a round.
    package enum Outcome: Sendable {
        case done(GlobalState)
        /// The updates of these sites are damaged; the damaged copies were set aside, so that the updates can be sent
        /// again.
        case lost(String, sites: [SiteID])
        /// The disk is full or a model is damaged: the round waits until this is fixed.
        case blocked(String)
    }

    package func attempt(_ task: AggregationTask) -> Outcome {
        do {
            let damaged = try setAsideDamaged(task)
            guard damaged.isEmpty else {
                return .lost(
                    """
                    the updates of \(damaged.map(\.description).joined(separator: ", ")) are damaged or missing on \
                    the coordinator's disk
                    """,
                    sites: damaged
                )
            }
            return .done(try RoundComputation(from: blobs, to: blobs, threads: threads).run(task))
        } catch {
            return .blocked(describe(error))
        }
    }

    /// Verifies the inputs of the round and each update before they are combined, because a byte that has changed on
    /// disk since intake would affect every later model. A blob is compared by its tag; it is hashed with SHA-256 only
    /// if this process has no tag for it.
    ///
    /// - Returns: The sites whose updates are damaged or missing. Damaged files were set aside.
    /// - Throws: An error if the model or another input is damaged or missing.
    private func setAsideDamaged(_ task: AggregationTask) throws -> [SiteID] {
        for digest in task.start.blobs { try blobs.verify(digest) }
        var damaged: [SiteID] = []
        for contribution in task.contributions {
            do {
                try blobs.verify(contribution.update)
            } catch let error as BlobError where error.code == .damaged {
                try blobs.setAside(contribution.update)
                damaged.append(contribution.site)
            } catch let error as BlobError where error.code == .missing {
                damaged.append(contribution.site)
            }
        }
        return damaged
    }
}
