import Blobs
import Federation
import Transport
import Verification

/// Computes a round's result from the blobs and publishes it as blobs.
package struct RoundAggregation: Sendable {
    let blobs: BlobStore
    let threads: Int

    package init(blobs: BlobStore, threads: Int) {
        self.blobs = blobs
        self.threads = threads
    }

    /// What came of the attempt to compute a round.
    package enum Outcome: Sendable {
        case done(GlobalState)
        /// These sites' updates are damaged; they have been set aside, so that they can be sent again.
        case lost(String, sites: [SiteID])
        /// The disk is full, a model is damaged: somebody must fix it, and the round waits.
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

    /// Hashed again before they are summed: a byte that rotted since intake would be in every model from here on.
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
