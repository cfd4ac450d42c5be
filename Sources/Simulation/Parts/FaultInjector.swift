/// Injects faults at random times until the scenario's end of faults.
final class FaultInjector {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func begin() {
        guard !world.scenario.faults.isEmpty else { return }
        next()
    }

    private func next() {
        let wait = Int.random(in: 1...Int(2 * world.scenario.faultInterval), using: &world.random)
        world.schedule(after: wait) {
            guard self.world.now < self.world.scenario.faultsEnd else { return self.endFaults() }
            self.inject(self.world.scenario.faults.randomElement(using: &self.world.random)!)
            self.next()
        }
    }

    private func inject(_ fault: Scenario.Fault) {
        world.trace("fault \(fault.rawValue)")
        world.count("faults")
        let site = world.sites.randomElement(using: &world.random)!
        let coordinator = world.coordinator!
        let node = world.chance(0.5) ? coordinator.node : site.node
        switch fault {
        case .crashCoordinator: coordinator.crash(power: false)
        case .crashSite: site.crash(power: false)
        case .powerFailure: if world.chance(0.5) { coordinator.crash(power: true) } else { site.crash(power: true) }
        case .crashAtEffect: if node.isUp { node.disk.fuse = Int.random(in: 0...40, using: &world.random) }
        case .cutLink: site.cutLinks()
        case .partition:
            world.partitions[site.index] = world.now + UInt64.random(in: 1000...3_600_000, using: &world.random)
        case .fullDisk: fill(node)
        case .clockStep: node.clockOffset = Int64.random(in: -600_000...600_000, using: &world.random)
        case .bitRot: coordinator.rot()
        case .failedWrite: coordinator.store.failsNext = (world.chance(0.5), ())
        case .operate: world.simulatedOperator.act()
        case .backup: coordinator.takeBackup()
        case .restoreBackup: if world.chance(0.3) { coordinator.restoreBackup() }
        }
        if world.chance(0.1) { coordinator.pruneIfUp() }
    }

    private func fill(_ node: Node) {
        node.disk.isFull = true
        world.schedule(after: Int.random(in: 1000...300_000, using: &world.random)) { node.disk.isFull = false }
    }

    /// Ends all faults; from here on the campaign must come to its end.
    private func endFaults() {
        world.trace("faults end")
        world.partitions = [:]
        world.coordinator.node.disk.isFull = false
        world.coordinator.node.disk.fuse = nil
        for site in world.sites { (site.node.disk.isFull, site.node.disk.fuse) = (false, nil) }
        world.simulatedOperator.settle()
    }
}
