import Synchronization

/// Says that a blob is being written; removed once, by its spool or with the last reference to it.
final class SpoolMark: Sendable {
    private let removal: Mutex<(@Sendable () -> Void)?>

    init(_ remove: @escaping @Sendable () -> Void) { removal = Mutex(remove) }

    deinit { remove() }

    func remove() {
        let action = removal.withLock { removal in
            defer { removal = nil }
            return removal
        }
        action?()
    }
}
