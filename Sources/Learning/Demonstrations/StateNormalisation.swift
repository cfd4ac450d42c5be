/// Fixed affine normalisation of the robot's state: workspace centre and half-width in metres, so that no statistics
/// leave a site.
enum StateNormalisation {
    private static let position: [Float] = [0, 0.65, 0.15]
    private static let positionWidth: [Float] = [0.25, 0.25, 0.15]
    /// Hand, gripper, and twice an object's position and quaternion.
    private static let mean = position + [0.5] + objects(position, [0, 0, 0, 0])
    private static let width = positionWidth + [0.5] + objects(positionWidth, [1, 1, 1, 1])
    /// The current state, the previous one, and the goal: 39 numbers.
    private static let means = mean + mean + position
    private static let widths = width + width + positionWidth

    private static func objects(_ position: [Float], _ rotation: [Float]) -> [Float] { position + rotation + position + rotation }

    /// In place; a row's first `count` numbers, which may be all 39 or the first 4. Clamped to ±5.
    static func apply(_ values: inout [Float], count: Int) {
        for index in values.indices {
            let column = index % count
            values[index] = max(-5, min(5, (values[index] - means[column]) / widths[column]))
        }
    }
}
