import Federation
import Protocol
import Wire

/// The control connection: the comparison of the coordinator's ledger with what this site has seen, and the messages.
extension WorkerDriver {
    func isOpen(_ id: LinkID) -> Bool { if case .open(id, _) = link { true } else { false } }

    mutating func opening(_ id: LinkID, _ welcome: Welcome) {
        link = .opening(Opening(id: id, welcome: welcome))
        effects.append(.compareHistory(id, welcome))
    }

    mutating func disconnected(_ failure: WorkerFailure) {
        let reason = if case .leaving(_, let departure) = link { departure } else { failure }
        link = .none
        effects.append(.cancel(.answer))
        for case .submission(let update) in requests.takeAll() { submissionFailed(update.manifest.key, reason) }
        problem = SiteProblem(
            "not connected",
            detail: reason.hint.isEmpty ? reason.reason : "\(reason.reason); \(reason.hint)"
        )
        report(.notConnected(reason))
        handle(machine: .disconnected)
    }

    // MARK: The ledger's history

    /// Handles the result of the comparison. If the coordinator's ledger is not the one that this site has seen,
    /// nothing is sent except receipts.
    mutating func historyCompared(_ id: LinkID, _ verdict: HistoryVerdict, _ receipts: [NamedReceipt]) {
        guard case .opening(var opening) = link, opening.id == id else { return }
        switch verdict {
        case .extends: return opened(opening)
        case .isBehind(let seen, let theirs):
            opening.receipts = receipts
            opening.departure = (
                "the ledger lacks entries that this site has seen",
                WorkerFailure(
                    """
                    the coordinator's ledger of \(theirs) entries is not the one of \(seen) entries that this site \
                    has seen: it was restored from a backup, or rewritten
                    """,
                    hint: "nothing is sent; keep this site's receipts and ask the consortium"
                )
            )
        case .lossDeclared(let loss) where loss.isAccepted: (opening.receipts, opening.loss) = (receipts, loss)
        case .lossDeclared(let loss):
            effects.append(.storeLoss(loss))
            return leave(
                id,
                saying: "the declared loss waits until this site's engineer accepts it",
                WorkerFailure(
                    """
                    \(loss.declaration.declaredBy) declares that at most the first \(loss.declaration.keptEntries) \
                    entries of an earlier ledger were kept and the others were lost: \(loss.declaration.reason)
                    """,
                    hint: "nothing is sent until this site accepts the loss, once: kumiai worker accept-loss"
                )
            )
        }
        link = .opening(opening)
        showNext()
    }

    /// Shows the next receipt. They are shown one at a time, because there may be thousands.
    private mutating func showNext() {
        guard case .opening(var opening) = link else { return }
        if !opening.receipts.isEmpty {
            let next = opening.receipts.removeFirst()
            link = .opening(opening)
            return effects.append(
                .send(opening.id, .presentReceipt(next.receipt), id: requests.add(.receipt(name: next.name)))
            )
        }
        if let departure = opening.departure { return leave(opening.id, saying: departure.reason, departure.failure) }
        effects.append(.continueAfterLoss(opening.id, opening.welcome))
    }

    mutating func continuedAfterLoss(_ id: LinkID) {
        guard case .opening(let opening) = link, opening.id == id else { return }
        if let loss = opening.loss { report(.continuedAfterLoss(loss.declaration)) }
        opened(opening)
    }

    private mutating func opened(_ opening: Opening) {
        link = .open(opening.id, opening.welcome)
        problem = nil
        report(.connected(opening.welcome))
        handle(machine: .connected)
        // An assignment that arrived before the ledger was checked.
        if let assignment = opening.heldBack {
            effects.append(.admit(opening.id, assignment, logKey: opening.welcome.logKey))
        }
    }

    /// Ends the connection.
    ///
    /// - Parameters:
    ///   - id: The connection.
    ///   - reason: Tells the coordinator's operator why this site leaves: a fixed sentence, like everything that leaves
    ///     the site. `nil` to send nothing more.
    ///   - failure: The reason for this site's log.
    mutating func leave(_ id: LinkID, saying reason: String?, _ failure: WorkerFailure) {
        switch link {
        case .opening(let opening) where opening.id == id: break
        case .open(id, _): break
        default: return
        }
        link = .leaving(id, failure)
        endTransfer()
        if let reason { effects.append(.send(id, .goodbye(reason: reason), id: 0)) }
        effects.append(.close(id))
    }

    // MARK: Messages

    mutating func received(_ id: LinkID, _ frame: ServerFrame) {
        if let question = requests.take(frame.inReplyTo) {
            switch question {
            case .receipt(let name): shown(id, name, frame.message)
            case .submission(let update): answered(update, frame.message)
            }
            return
        }
        switch (frame.message, link) {
        case (.assignment(let assignment), .open(id, let welcome)):
            effects.append(.admit(id, assignment, logKey: welcome.logKey))
        case (.assignment(let assignment), .opening(var opening)) where opening.id == id:
            opening.heldBack = assignment
            link = .opening(opening)
        case (.refusal(let refusal), _): report(.refused(refusal))
        default: break
        }
    }

    private mutating func shown(_ id: LinkID, _ name: String, _ answer: ServerMessage) {
        guard case .opening(let opening) = link, opening.id == id else { return }
        switch answer {
        case .receiptSeen(let isHeld):
            if !isHeld, opening.loss != nil { effects.append(.setAside(name)) }
            showNext()
        case .refusal(let refusal): leave(id, saying: nil, WorkerFailure(refusal.message, hint: refusal.hint))
        default: leave(id, saying: nil, WorkerFailure("the coordinator's answer to a receipt has an unexpected type"))
        }
    }

    mutating func follow(_ assignment: Assignment, isAsSent: Bool) {
        guard !isAsSent, case .rest(let reason) = assignment else { return handle(machine: .assigned(assignment)) }
        report(.assignmentNotFollowed(reason))
        handle(machine: .assigned(assignment))
        problem = SiteProblem("an assignment is not followed", detail: reason)
    }
}
