/// Returns a count with its noun, such as `1 blob` or `2 blobs`. Pass `many` if the plural is irregular.
///
/// - Parameters:
///   - count: The count.
///   - one: The noun in the singular.
///   - many: The noun in the plural; `nil` if it is the singular with an s.
public func counted(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
}
