"""Where rotated tokens are kept between runs: on disk, or in a database that machines share."""
