import Tensors
import CKernels
import Glibc
import LinearAlgebra

/// The embedding of the inputs as tokens.
extension Pass {
    /// Computes x = [patches | words | state | queries] + positions, B×T×D.
    func embed() {
        let d = c.width
        for sample in 0..<shard.count {
            let x = space.x + sample * c.tokens * d
            x.update(from: w + o.positions, count: c.tokens * d)
            embedWords(sample, x + c.patches * d)
        }
        if c.usesImages { embedPatches() }
        if c.usesState { embedState() }
        if flows { embedFlow() }
    }

    private func embedWords(_ sample: Int, _ x: UnsafeMutablePointer<Float>) {
        let ids = (shard.range.lowerBound + sample) * c.words
        for word in 0..<c.words {
            let id = Int(shard.batch.words[ids + word])
            kumiai_add(x + word * c.width, w + o.word + id * c.width, Int64(c.width))
        }
    }

    private func embedPatches() {
        let d = c.width, pixels = c.patchPixels
        shard.batch.patches.withUnsafeBufferPointer { patches in
            for sample in 0..<shard.count {
                let start = patches.baseAddress! + (shard.range.lowerBound + sample) * c.patches * pixels
                let x = space.x + sample * c.tokens * d
                BLAS.multiply(
                    start,
                    pixels,
                    w + o.patch.weight,
                    pixels,
                    bTransposed: true,
                    into: x,
                    d,
                    m: c.patches,
                    n: d,
                    k: pixels,
                    adding: true
                )
                kumiai_add_bias(x, w + o.patch.bias, Int64(c.patches), Int64(d))
            }
        }
    }

    private func embedState() {
        let d = c.width
        shard.batch.state.withUnsafeBufferPointer { state in
            let start = state.baseAddress! + shard.range.lowerBound * c.stateCount
            // Row i of the states belongs to the state's token of sample i, so the leading dimension is T·D.
            let x = space.x + c.statePosition * d
            BLAS.multiply(
                start,
                c.stateCount,
                w + o.state.weight,
                c.stateCount,
                bTransposed: true,
                into: x,
                c.tokens * d,
                m: shard.count,
                n: d,
                k: c.stateCount,
                adding: true
            )
            for sample in 0..<shard.count { kumiai_add(x + sample * c.tokens * d, w + o.state.bias, Int64(d)) }
        }
    }

    // MARK: Flow matching

    /// Adds action_in(noisy actions) and time(φ(t)) to the queries.
    private func embedFlow() {
        let d = c.width, a = c.actionCount
        mixNoise()
        for sample in 0..<shard.count {
            FlowTime.features(shard.batch.time[shard.range.lowerBound + sample], into: space.phi + sample * d, width: d)
        }
        BLAS.multiply(
            space.phi,
            d,
            w + o.time.weight,
            d,
            bTransposed: true,
            into: space.timeTokens,
            d,
            m: shard.count,
            n: d,
            k: d
        )
        kumiai_add_bias(space.timeTokens, w + o.time.bias, Int64(shard.count), Int64(d))
        for sample in 0..<shard.count {
            let queries = space.x + (sample * c.tokens + firstQuery) * d
            BLAS.multiply(
                space.noisy + sample * c.chunk * a,
                a,
                w + o.actionIn.weight,
                a,
                bTransposed: true,
                into: queries,
                d,
                m: c.chunk,
                n: d,
                k: a,
                adding: true
            )
            kumiai_add_bias(queries, w + o.actionIn.bias, Int64(c.chunk), Int64(d))
            kumiai_add_bias(queries, space.timeTokens + sample * d, Int64(c.chunk), Int64(d))
        }
    }

    /// Computes x_t = t·actions + (1 − t)·noise.
    private func mixNoise() {
        let width = c.chunk * c.actionCount
        for sample in 0..<shard.count {
            let index = shard.range.lowerBound + sample
            let t = shard.batch.time[index]
            for number in 0..<width {
                space.noisy[sample * width + number] =
                    t * shard.batch.actions[index * width + number] + (1 - t)
                    * shard.batch.noise[index * width + number]
            }
        }
    }

    // MARK: Backward

    func backEmbed(into g: UnsafeMutablePointer<Float>) {
        let d = c.width
        for sample in 0..<shard.count {
            let dx = space.dx + sample * c.tokens * d
            kumiai_add(g + o.positions, dx, Int64(c.tokens * d))
            let ids = (shard.range.lowerBound + sample) * c.words
            for word in 0..<c.words {
                let id = Int(shard.batch.words[ids + word])
                kumiai_add(g + o.word + id * d, dx + (c.patches + word) * d, Int64(d))
            }
        }
        if c.usesState { backState(into: g) }
        if c.usesImages { backPatches(into: g) }
        if flows { backFlow(into: g) }
    }

    private func backState(into g: UnsafeMutablePointer<Float>) {
        let d = c.width
        let dx = space.dx + c.statePosition * d
        for sample in 0..<shard.count { kumiai_add(g + o.state.bias, dx + sample * c.tokens * d, Int64(d)) }
        shard.batch.state.withUnsafeBufferPointer { state in
            BLAS.multiply(
                dx,
                c.tokens * d,
                aTransposed: true,
                state.baseAddress! + shard.range.lowerBound * c.stateCount,
                c.stateCount,
                into: g + o.state.weight,
                c.stateCount,
                m: d,
                n: c.stateCount,
                k: shard.count,
                adding: true
            )
        }
    }

    private func backPatches(into g: UnsafeMutablePointer<Float>) {
        let d = c.width, pixels = c.patchPixels
        shard.batch.patches.withUnsafeBufferPointer { patches in
            for sample in 0..<shard.count {
                let start = patches.baseAddress! + (shard.range.lowerBound + sample) * c.patches * pixels
                let dx = space.dx + sample * c.tokens * d
                BLAS.multiply(
                    dx,
                    d,
                    aTransposed: true,
                    start,
                    pixels,
                    into: g + o.patch.weight,
                    pixels,
                    m: d,
                    n: pixels,
                    k: c.patches,
                    adding: true
                )
                kumiai_bias_backward(dx, g + o.patch.bias, Int64(c.patches), Int64(d))
            }
        }
    }

    private func backFlow(into g: UnsafeMutablePointer<Float>) {
        let d = c.width, a = c.actionCount
        space.dtimeTokens.update(repeating: 0, count: shard.count * d)
        for sample in 0..<shard.count {
            let dx = space.dx + (sample * c.tokens + firstQuery) * d
            kumiai_bias_backward(dx, space.dtimeTokens + sample * d, Int64(c.chunk), Int64(d))
            kumiai_bias_backward(dx, g + o.actionIn.bias, Int64(c.chunk), Int64(d))
            BLAS.multiply(
                dx,
                d,
                aTransposed: true,
                space.noisy + sample * c.chunk * a,
                a,
                into: g + o.actionIn.weight,
                a,
                m: d,
                n: a,
                k: c.chunk,
                adding: true
            )
        }
        BLAS.multiply(
            space.dtimeTokens,
            d,
            aTransposed: true,
            space.phi,
            d,
            into: g + o.time.weight,
            d,
            m: d,
            n: d,
            k: shard.count,
            adding: true
        )
        kumiai_bias_backward(space.dtimeTokens, g + o.time.bias, Int64(shard.count), Int64(d))
    }
}
