import Federation
import Ledger

/// The machine and the ledger as one: what the machine decides is on the disk before anybody hears of it.
///
/// Belongs to one loop: the coordinator's actor, or a simulation's.
package final class CoordinatorCore {
    package typealias Effect = CoordinatorMachine.Effect

    package private(set) var machine: CoordinatorMachine
    package let ledger: Ledger
    /// The store could not be read after a write had failed: what it holds is not known, and the machine may have decided more.
    /// Until it can be read nothing is decided, and nobody may hear what the machine says.
    package private(set) var isAheadOfLedger = false

    /// `ledger`: as it was read, with nothing appended since.
    package init(ledger: Ledger) {
        precondition(ledger.stateAtReading.entryCount == UInt64(ledger.count))
        self.ledger = ledger
        machine = CoordinatorMachine(state: ledger.stateAtReading)
    }

    /// Lets the machine decide and records what it did; returns its effects, none of which may be seen before.
    ///
    /// Where the ledger cannot be written, nothing has been decided: the error is a ``LedgerError``, and ``resume(at:)``
    /// tries again.
    package func decide(_ decision: (inout CoordinatorMachine) throws -> [Effect]) throws -> [Effect] {
        if isAheadOfLedger { try reload() }
        let effects = try decision(&machine)
        let entries = effects.compactMap { if case .record(let entry) = $0 { entry } else { nil } }
        do {
            try ledger.append(entries)
        } catch {
            try takeBack()
            throw error
        }
        return effects
    }

    package func handle(_ event: CoordinatorMachine.Event, at now: Timestamp) throws -> [Effect] {
        try decide { $0.handle(event, at: now) }
    }

    /// What must be done again after a restart, after a write that failed, or after a time in which nothing could be decided.
    /// `present`: the sites that are connected by now.
    package func resume(at now: Timestamp, present: Set<SiteID>) throws -> [Effect] {
        try decide { $0.resume(present: present, at: now) }
    }

    /// Puts back entries that the ledger has lost, byte for byte.
    package func restore(_ lost: [[UInt8]]) throws {
        isAheadOfLedger = true
        try ledger.restore(lost)
        try reload()
    }

    /// The ledger is the truth: what could not be written has not happened.
    private func takeBack() throws {
        isAheadOfLedger = true
        try reload()
    }

    private func reload() throws {
        try ledger.reload()
        machine = CoordinatorMachine(state: ledger.stateAtReading, presence: machine.presence)
        isAheadOfLedger = false
    }
}
