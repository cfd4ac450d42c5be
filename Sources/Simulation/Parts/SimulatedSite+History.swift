import Federation
import Wire
import Worker

/// Whether the coordinator's ledger is the one that this site has seen.
extension SimulatedSite {
    func judge(_ welcome: Welcome) {
        do {
            try memory.pin(welcome.logKey)
            switch try memory.judge(welcome) {
            case .extends: begin(welcome)
            case .isBehind where world.mistake == .forgetHistory:
                try memory.goOn(after: welcome)
                begin(welcome)
            case .isBehind(_, let theirs): present(memory.receipts(from: UInt64(theirs)), under: nil)
            case .lossDeclared(let loss) where loss.isAccepted: present(memory.receipts(), under: welcome)
            case .lossDeclared(let loss):
                try memory.note(loss)
                // The engineer reads it and accepts it, some day.
                later(Int.random(in: 60_000...3_600_000, using: &world.random)) { try? self.memory.accept(loss) }
                leave()
            }
        } catch {
            if !node.disk.isDead { world.note("\(id) cannot judge the ledger: \(error)") }
            leave()
        }
    }

    private func begin(_ welcome: Welcome) {
        self.welcome = welcome
        world.checker.connected(self, welcome.treeHead)
        handle(.connected)
        if let assignment = heldBack {
            heldBack = nil
            follow(assignment)
        }
    }

    func follow(_ assignment: Assignment) { handle(.assigned(memory.admitted(assignment, site: id, logKey: world.cast.logKeyBytes))) }

    /// Shows receipts; `welcome`: of a ledger from which an accepted loss goes on, `nil`: of one that lacks entries.
    private func present(_ receipts: [(name: String, receipt: Receipt)], under welcome: Welcome?) {
        goingOn = welcome
        for (name, receipt) in receipts {
            nextMessage += 1
            presented[nextMessage] = name
            control?.sendUp(.presentReceipt(receipt), id: nextMessage)
        }
        if receipts.isEmpty { settled() }
    }

    func seen(_ number: UInt64, _ isHeld: Bool) {
        guard let name = presented.removeValue(forKey: number) else { return }
        if !isHeld, goingOn != nil {
            do {
                try memory.setAside(name)
                world.checker.setAside(self)
            } catch { return leave() }
        }
        if presented.isEmpty { settled() }
    }

    private func settled() {
        guard let welcome = goingOn else { return leave() }
        goingOn = nil
        do { try memory.goOn(after: welcome) } catch { return leave() }
        begin(welcome)
    }
}
