import Coordinator
import Federation
import Protocol
import Wire

/// A connection of a site: delivers the bytes of real messages in order, with a delay, until it is cut.
final class SimulatedLink: @unchecked Sendable {
    // Unchecked: only one thread runs a world.
    unowned let world: World
    let site: SimulatedSite
    let purpose: Hello.Purpose
    /// The newest tree head that the site says it has seen.
    let treeHead: String
    private let siteEpoch: Int
    private let coordinatorEpoch: Int
    /// The coordinator's number for it, if it is a site's control connection.
    var id: LinkID?
    private(set) var isOpenAtSite = true
    private(set) var isOpenAtCoordinator = true
    /// When the last message arrives in each direction, so that no message overtakes another.
    private var arrivals: (up: UInt64, down: UInt64) = (0, 0)
    private var isCut = false

    init(_ world: World, _ site: SimulatedSite, _ purpose: Hello.Purpose, treeHead: String = "") {
        self.treeHead = treeHead
        self.world = world
        self.site = site
        self.purpose = purpose
        siteEpoch = site.node.epoch
        coordinatorEpoch = world.coordinator.node.epoch
    }

    private var isSiteThere: Bool { site.node.isUp && site.node.epoch == siteEpoch }
    private var isCoordinatorThere: Bool {
        world.coordinator.node.isUp && world.coordinator.node.epoch == coordinatorEpoch
    }
    private var isPartitioned: Bool { world.partitions[site.index].map { $0 > world.now } ?? false }

    func sendUp(_ message: ClientMessage, id: UInt64) {
        guard isOpenAtSite, isSiteThere, !site.node.disk.isDead else { return }
        let bytes = ClientFrame(id: id, message).packed.bytes
        let copies = purpose == .control && world.chance(world.scenario.duplication) ? 2 : 1
        for _ in 0..<copies {
            deliver(&arrivals.up) { link in
                guard link.isOpenAtCoordinator, link.isCoordinatorThere else { return }
                guard let frame = try? bytes.withUnsafeBytes({ try ClientFrame(unpacking: $0) }) else { return }
                link.world.coordinator.receive(frame, on: link)
            }
        }
    }

    func sendDown(_ message: ServerMessage, inReplyTo id: UInt64 = 0) {
        guard isOpenAtCoordinator, isCoordinatorThere, !world.coordinator.node.disk.isDead else { return }
        let bytes = ServerFrame(inReplyTo: id, message).packed.bytes
        deliver(&arrivals.down) { link in
            guard link.isOpenAtSite, link.isSiteThere else { return }
            guard let frame = try? bytes.withUnsafeBytes({ try ServerFrame(unpacking: $0) }) else { return }
            link.site.receive(frame, on: link)
        }
    }

    private func deliver(_ last: inout UInt64, _ action: @escaping (SimulatedLink) -> Void) {
        let arrival = max(last + 1, world.now + UInt64(world.latency()))
        last = arrival
        world.schedule(after: Int(arrival - world.now)) {
            if self.isPartitioned { self.cut() }
            if !self.isCut { action(self) }
        }
    }

    // MARK: Ends

    /// Cuts the link; each side learns of it after its own delay, and messages in transit are lost.
    func cut() {
        guard !isCut else { return }
        isCut = true
        world.schedule(after: Int.random(in: 0...60_000, using: &world.random)) { self.lostAtSite() }
        world.schedule(after: Int.random(in: 0...60_000, using: &world.random)) { self.lostAtCoordinator() }
    }

    func closeFromSite() {
        guard isOpenAtSite else { return }
        isOpenAtSite = false
        world.schedule(after: world.latency()) { self.lostAtCoordinator() }
    }

    func closeFromCoordinator() {
        guard isOpenAtCoordinator else { return }
        isOpenAtCoordinator = false
        world.schedule(after: world.latency()) { self.lostAtSite() }
    }

    func lostAtSite() {
        guard isOpenAtSite else { return }
        isOpenAtSite = false
        if isSiteThere { site.lost(self) }
    }

    func lostAtCoordinator() {
        guard isOpenAtCoordinator else { return }
        isOpenAtCoordinator = false
        if isCoordinatorThere { world.coordinator.lost(self) }
    }
}
